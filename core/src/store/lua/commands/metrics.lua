-- Returns counts of jobs by task, for metrics; changes nothing.
-- KEYS  the fixed keys
-- ARGV  'slots', fields of `metrics` (msgpack) | 'oldest'
-- Returns  slots: msgpack {the server's clock in ms, names of tasks (msgpack or ''), {slot or '', ...}, {minute, {field, number, ...}, ...} of the minutes
--       that are not added to slots yet}; see metric_folding.lua | oldest: msgpack {task, age in ms of the job at the head of one of its queues, ...}
local clock = require('clock')
local keys = require('keys')
local rare_keys = require('rare_keys')
local reply = require('reply')
local oldest = lazy('oldest')
local call = redis.call

local function slots(fields)
  local found = call('HMGET', rare_keys.metrics, 'tasks', unpack(fields))
  local packed, unfolded = {}, {}
  for i = 2, #found do
    packed[i - 1] = found[i] or ''
  end
  for _, minute in ipairs(call('ZRANGE', rare_keys.metric_minutes, 0, -1)) do
    unfolded[#unfolded + 1] = minute
    unfolded[#unfolded + 1] = call('HGETALL', keys.of('metrics', minute))
  end
  return { string.format('%.0f', clock.wall), found[1] or '', packed, unfolded }
end

if ARGV[1] == 'oldest' then
  return reply(cmsgpack.pack(oldest().ages()))
end
return reply(cmsgpack.pack(slots(cmsgpack.unpack(ARGV[2]))))
