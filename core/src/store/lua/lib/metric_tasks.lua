-- The tasks that have counts of their own in metrics: the first ones. The field `tasks` of the hash `metrics` has their names, msgpack, by their indexes
-- from 1 on; the index 0 stands for all others. Names are not removed, so that counters do not decrease.
local rare_keys = require('rare_keys')
local values = require('values')
local call = redis.call

local metric_tasks = { OTHER = 'other' }
local MOST = 100

-- Names, and their indexes.
function metric_tasks.read(packed)
  local names = packed and values.unpacked(packed)
  local tasks = { names = type(names) == 'table' and names or {}, indexes = {}, changed = false }
  for i, name in ipairs(tasks.names) do
    tasks.indexes[name] = i
  end
  tasks.indexes[metric_tasks.OTHER] = 0
  return tasks
end

-- The index of a task. A new one gets the next index, if there is one.
function metric_tasks.index(tasks, task)
  if not tasks.indexes[task] and #tasks.names < MOST then
    tasks.names[#tasks.names + 1] = task
    tasks.indexes[task] = #tasks.names
    tasks.changed = true
  end
  return tasks.indexes[task] or 0
end

function metric_tasks.write(tasks)
  if tasks.changed then
    call('HSET', rare_keys.metrics, 'tasks', cmsgpack.pack(tasks.names))
  end
end

return metric_tasks
