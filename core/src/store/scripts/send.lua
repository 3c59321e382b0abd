-- Sends a batch of messages.
-- KEYS  the fixed keys
-- ARGV  incarnation, batch number, messages (msgpack {kind of address (see shared/registry.lua), its name, 1 if the sender may be among those who
--       hear it, blob, ...})
-- Returns  {0, msgpack {{number dropped, incarnation that it was sent to, ...} | position of an answer that is the same, ...}}
--          | {1} if the member is unknown
local inc, number = ARGV[1], tonumber(ARGV[2])
if not call('ZSCORE', DUE, 'L:' .. inc) then
  return { 1 }
end
-- Sent again because its reply was lost: who hears it is looked up again.
local again = last_batch and number <= last_batch
local X = extras()
local messages, answers = cmsgpack.unpack(ARGV[3]), {}
for i = 1, #messages, 4 do
  X.deliver(messages[i], messages[i + 1], messages[i + 2] == 0 and inc, again, messages[i + 3], answers)
end
X.send_parcels()
remember(BATCH .. inc, cmsgpack.pack(number))
write_meta()
return { 0, cmsgpack.pack(answers) }
