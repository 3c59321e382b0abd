-- Sends a batch of messages.
-- KEYS  the fixed keys
-- ARGV  incarnation, batch number, messages (msgpack {kind of address (see shared/registry.lua), its name, 1 if the sender may be among those who
--       hear it, blob, ...})
-- Returns  {0, msgpack {{number dropped, incarnation that it was sent to, ...}, ...}} | {1} if the member is unknown
local inc, number = ARGV[1], tonumber(ARGV[2])
if not call('ZSCORE', DUE, 'L:' .. inc) then
  return { 1 }
end
-- Sent again because its reply was lost: who hears it is looked up again.
local again = last_batch and number <= last_batch
local X = extras()
local messages, answers = cmsgpack.unpack(ARGV[3]), {}
for i = 1, #messages, 4 do
  local answer = { 0 }
  for _, member in ipairs(X.hearing(messages[i], messages[i + 1])) do
    if member ~= inc or messages[i + 2] == 1 then
      if again or X.deliver(member, messages[i + 3]) then
        answer[#answer + 1] = member
      else
        answer[1] = answer[1] + 1
      end
    end
  end
  answers[#answers + 1] = answer
end
remember(BATCH .. inc, cmsgpack.pack(number))
write_meta()
return { 0, cmsgpack.pack(answers) }
