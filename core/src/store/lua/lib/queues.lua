-- Queues of waiting jobs. `ready:0`, a list, contains plain jobs: it is the cheapest. Every other queue is a sorted set by the order of arrival, one
-- for each priority and task. While there are others, new plain jobs are queued in `ready:0:`. So the jobs in `ready:0` came before all others of
-- their priority, and the jobs of one priority are assigned in the order in which they came, whatever their task.
--
-- A waiting job is in one of: a queue, `delayed` until it is due, `blocked:<resource>` while another job has the resource, `unique:<key>` while
-- another job has its unique key; `blocked` has the ids of the latter two.
local keys = require('keys')
local limits = require('limits')
local rare_keys = require('rare_keys')
local special = require('special')
local tombstones = require('tombstones')
local values = require('values')
local call = redis.call
local queues = {}

local function digits(priority)
  return string.format('%.0f', priority)
end

-- The member of `index` for a sorted set. Those of one priority are in the order of their tasks.
local function entry_of(priority, task)
  return digits(priority) .. ':' .. task
end

local function key_of(priority, task)
  if task ~= '' or priority == 0 then
    return keys.of('ready', entry_of(priority, task))
  end
  return keys.of('ready', digits(priority))
end

-- Priorities of a task whose sorted sets are not empty, highest first.
local function priorities_of(task)
  return task == '' and rare_keys.queues or keys.of('queues', task)
end

queues.entry_of, queues.key_of, queues.priorities_of = entry_of, key_of, priorities_of

function queues.is_plain(priority, task)
  return priority == 0 and task == ''
end

-- Adds a sorted set that is not empty to the index.
function queues.list(priority, task)
  call('ZADD', priorities_of(task), -priority, digits(priority))
  if task ~= '' then
    call('SADD', rare_keys.tasks, task)
  end
  if call('ZADD', rare_keys.index, -priority, entry_of(priority, task)) == 1 then
    special.queues = special.queues + 1
    special.update()
  end
end

local function add_scored(priority, task, ids, orders)
  local scored = {}
  for i, id in ipairs(ids) do
    scored[2 * i - 1] = orders[i]
    scored[2 * i] = id
  end
  call('ZADD', key_of(priority, task), unpack(scored))
end

-- orders: the positions of the jobs in the order of arrival.
function queues.push(priority, task, ids, orders, front)
  local n = #ids
  if queues.is_plain(priority, task) and front then
    local reversed = {}
    for i = n, 1, -1 do
      reversed[n + 1 - i] = ids[i]
    end
    call('LPUSH', keys.ready, unpack(reversed))
  elseif queues.is_plain(priority, task) and special.queues == 0 then
    call('RPUSH', keys.ready, unpack(ids))
  else
    add_scored(priority, task, ids, orders)
    if call('ZADD', priorities_of(task), -priority, digits(priority)) == 1 then
      queues.list(priority, task)
    end
  end
end

-- Half of the entries of `ready:0` are dead: moves the live ones near its end to the front of `ready:0:`, where deletions leave no dead entries.
function queues.thin_out()
  local ids = call('RPOP', keys.ready, 1000) or {}
  ids = #ids > 0 and tombstones.living(ids, ids) or ids
  if #ids == 0 then
    return
  end
  special.advance(#ids)
  local orders = {}
  for i = 1, #ids do
    orders[i] = -special.sequence + #ids - i
  end
  add_scored(0, '', ids, orders)
  queues.list(0, '')
end

-- Removes a task for which no job waits and which no worker with credit accepts.
function queues.forget_task(task)
  if task ~= '' and call('EXISTS', priorities_of(task)) == 0 and call('EXISTS', keys.of('load', task)) == 0 then
    call('SREM', rare_keys.tasks, task)
  end
end

-- Removes an empty queue from the index.
function queues.forget(priority, task)
  call('ZREM', priorities_of(task), digits(priority))
  if call('ZREM', rare_keys.index, entry_of(priority, task)) == 1 then
    special.queues = special.queues - 1
    special.update()
  end
  queues.forget_task(task)
end

-- Parses a member of `index`: returns its queue, or nil.
function queues.read_entry(entry)
  local priority, task = string.match(entry, '^(-?%d+):(.*)$')
  priority = values.bounded(priority, -limits.PRIORITY, limits.PRIORITY)
  return priority and { priority = priority, task = task, key = key_of(priority, task), entry = entry }
end

-- The queues that are not empty, in the order of assignment, up to `most` from a rank in `index` on, without `ready:0`. Also returns the number of
-- entries, some of which may be damaged.
function queues.page(from, most)
  local all = {}
  local entries = call('ZRANGE', rare_keys.index, from, from + most - 1)
  for _, entry in ipairs(entries) do
    all[#all + 1] = queues.read_entry(entry)
  end
  return all, #entries
end

-- The priorities of a task that have waiting jobs in sorted sets, highest first.
function queues.priorities(task)
  if special.queues == 0 then
    return {}
  end
  local found = {}
  for _, text in ipairs(call('ZRANGE', priorities_of(task), 0, 99)) do
    local priority = values.bounded(text, -limits.PRIORITY, limits.PRIORITY)
    if priority then
      found[#found + 1] = priority
    else
      call('ZREM', priorities_of(task), text)
    end
  end
  return found
end

return queues
