-- Sends a batch of messages.
-- KEYS  the fixed keys
-- ARGV  incarnation, batch number, messages (msgpack {kind of address (see registry.lua), its name, 1 if the sender may be among the
--       recipients, content, ...})
-- Returns  {0, msgpack {{number dropped, incarnation of a recipient, ...} | position of an equal answer, ...}}
--          | {1} if the member is unknown
local due_entries = require('due_entries')
local keys = require('keys')
local messages = require('messages')
local meta = require('meta')
local reply = require('reply')

local DONE, UNKNOWN = 0, 1

local inc, number = ARGV[1], tonumber(ARGV[2])
if not redis.call('ZSCORE', keys.due, due_entries.LEASE .. inc) then
  return reply({ UNKNOWN })
end
-- The batch is repeated because its reply was lost: only its recipients are determined again.
local again = meta.last_batch and number <= meta.last_batch
local batch, answers = cmsgpack.unpack(ARGV[3]), {}
for i = 1, #batch, 4 do
  local kind, name, includes_sender, blob = batch[i], batch[i + 1], batch[i + 2], batch[i + 3]
  messages.deliver(kind, name, includes_sender == 0 and inc, again, blob, answers)
end
meta.remember(BATCH .. inc, cmsgpack.pack(number))
return reply({ DONE, cmsgpack.pack(answers) })
