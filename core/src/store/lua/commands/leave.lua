-- Removes a member and requeues its jobs.
-- KEYS  the fixed keys
-- ARGV  incarnation, 1 if its process has died: a crash is counted for each job, as at the end of a lease
-- Returns  1 when it is removed, 0 if more jobs must be requeued: call again
local clock = require('clock')
local due_entries = require('due_entries')
local keys = require('keys')
local reply = require('reply')
local departure = lazy('departure')
local call = redis.call

local GONE, MORE = 1, 0

local inc, died = ARGV[1], ARGV[2] == '1'
local entry = due_entries.LEASE .. inc
if not call('ZSCORE', keys.due, entry) or departure().remove(inc, died) then
  return reply(GONE)
end
if not died then
  -- Renews the lease: if it ended before the next call requeues the rest, a crash would be counted.
  local lease = tonumber(call('HGET', keys.of('member', inc), 'lease')) or 0
  call('ZADD', keys.due, 'XX', 'GT', clock.now + lease, entry)
end
return reply(MORE)
