-- Delayed jobs. `due` has one entry for all of them, at the time of the first.
local clock = require('clock')
local due_entries = require('due_entries')
local keys = require('keys')
local matching = require('matching')
local rare_keys = require('rare_keys')
local script = require('script')
local events = lazy('events')
local call = redis.call
local delays = {}

local PAGE = 200

-- Delays a job by `pause` ms. Returns when it is due.
function delays.delay(id, pause)
  -- Adds 1 because `now` is cut to whole milliseconds: a job must not be due too early.
  local due = clock.now + 1 + pause
  call('ZADD', rare_keys.delayed, due, id)
  call('ZADD', keys.due, 'LT', due, due_entries.DELAYED)
  return due
end

-- The jobs without an earlier execution that still has to stop. The others are queued when it has stopped.
function delays.without_owner(ids, records)
  local there, there_records = {}, {}
  for i, owner in ipairs(#ids > 0 and call('HMGET', keys.owner, unpack(ids)) or {}) do
    if not owner then
      there[#there + 1], there_records[#there_records + 1] = ids[i], records[i]
    end
  end
  return there, there_records
end

local function enqueue_due(ids)
  script.in_hand[#script.in_hand + 1] = ids
  call('ZREM', rare_keys.delayed, unpack(ids))
  local there, records = {}, {}
  for i, found in ipairs(call('HMGET', keys.jobs, unpack(ids))) do
    if found then
      there[#there + 1] = ids[i]
      records[#records + 1] = found
    end
  end
  if clock.recording then
    events().waiting(there, records)
  end
  there, records = delays.without_owner(there, records)
  matching.enqueue(there, records, false)
end

-- Queues delayed jobs that are due.
function delays.expire()
  local ids = call('ZRANGEBYSCORE', rare_keys.delayed, '-inf', clock.now, 'LIMIT', 0, PAGE)
  if #ids > 0 then
    enqueue_due(ids)
  end
  local first = call('ZRANGE', rare_keys.delayed, 0, 0, 'WITHSCORES')
  if first[2] then
    call('ZADD', keys.due, first[2], due_entries.DELAYED)
  else
    call('ZREM', keys.due, due_entries.DELAYED)
  end
end

return delays
