-- Subscribes a member to messages or to members that join or leave, stores its data, or reports which of some other members are gone.
-- KEYS  the fixed keys
-- ARGV  incarnation, 'listen' | 'watch' | 'data' | 'absent', the data as JSON or the others (msgpack array)
-- Returns  1, or 0 if the member is unknown
local due_entries = require('due_entries')
local keys = require('keys')
local registry = require('registry')
local reply = require('reply')
local call = redis.call

local inc, what = ARGV[1], ARGV[2]
if not call('ZSCORE', keys.due, due_entries.LEASE .. inc) then
  return reply(0)
end
if what == 'data' then
  call('HSET', keys.of('member', inc), 'data', ARGV[3])
elseif what == 'absent' then
  registry.report_absent(inc, ARGV[3])
elseif what == 'watch' then
  registry.watch(inc)
else
  registry.listen(inc)
end
return reply(1)
