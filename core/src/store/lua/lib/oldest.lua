-- How long the jobs at the heads of queues have waited.
local clock = require('clock')
local keys = require('keys')
local limits = require('limits')
local queues = require('queues')
local record = require('record')
local turns = lazy('turns')
local call = redis.call
local oldest = {}

-- Queues of one call, groups of a queue, and dead entries of `ready:0` that are skipped.
local QUEUES, GROUPS, DEAD = 200, 20, 50

local bytes = 0

-- Task and age of the first of the jobs that exists and whose time is known, into `ages`. Stops after as many bytes as a call moves.
local function note(ages, task, ids)
  for _, id in ipairs(ids) do
    local found = bytes < limits.BYTES and call('HGET', keys.jobs, id)
    if found then
      bytes = bytes + #found
      local time = record.waits_from(found)
      if time then
        ages[#ages + 1], ages[#ages + 2] = task, math.floor(math.max(0, clock.now - time))
        return
      end
    end
  end
end

-- task, age in ms, ...; a task may be there several times.
function oldest.ages()
  local ages = {}
  note(ages, '', call('LRANGE', keys.ready, 0, DEAD))
  for _, queue in ipairs((queues.page(0, QUEUES))) do
    if queue.grouped then
      for _, group in ipairs(call('ZRANGE', queue.key, 0, GROUPS - 1)) do
        note(ages, queue.task, call('ZRANGE', turns().jobs_of(queue, group), 0, 0))
      end
    else
      note(ages, queue.task, call('ZRANGE', queue.key, 0, 0))
    end
  end
  return ages
end

return oldest
