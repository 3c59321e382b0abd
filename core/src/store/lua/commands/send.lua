-- Sends a batch of messages, or the first of them if they have many recipients.
-- KEYS  the fixed keys
-- ARGV  incarnation, batch number, messages (msgpack {kind of address (see registry.lua), its name, 1 if the sender may be among the
--       recipients, content, ...})
-- Returns  {0, msgpack {{number dropped, incarnation of a recipient, ...} | position of an equal answer, ...}}, one for each message that was sent
--          | {1} if the member is unknown
local due_entries = require('due_entries')
local keys = require('keys')
local messages = require('messages')
local meta = require('meta')
local reply = require('reply')

local DONE, UNKNOWN = 0, 1
-- Deliveries, each of a message to a member, after which a call begins no further message. One message goes to all of its receivers at once.
local DELIVERIES = 5000

local inc, number = ARGV[1], tonumber(ARGV[2])
if not redis.call('ZSCORE', keys.due, due_entries.LEASE .. inc) then
  return reply({ UNKNOWN })
end
local batch, answers, deliveries = cmsgpack.unpack(ARGV[3]), {}, 0
-- The last batch: its number, and how many messages of it were delivered.
local last = meta.last_batch
-- The batch is repeated because its reply was lost: only its recipients are determined again.
local again = type(last) == 'table' and number <= (tonumber(last[1]) or 0)
local delivered = again and tonumber(last[2]) or #batch / 4
for i = 1, #batch, 4 do
  local done = #answers
  if again and done >= delivered or not again and deliveries >= DELIVERIES then
    break
  end
  local kind, name, includes_sender, blob = batch[i], batch[i + 1], batch[i + 2], batch[i + 3]
  deliveries = deliveries + messages.deliver(kind, name, includes_sender == 0 and inc, again, blob, answers)
end
if not again then
  meta.remember(BATCH .. inc, cmsgpack.pack({ number, #answers }))
end
return reply({ DONE, cmsgpack.pack(answers) })
