-- Queues of waiting jobs. `ready:0`, a list, contains plain jobs: it is the cheapest. The others are sorted sets by the order of arrival, one for each
-- priority and task, and beside it one in which groups take turns (see turns.lua), of its jobs with a group. While there are others, new plain jobs
-- are queued in `ready:0:`. So the jobs in `ready:0` came before all others of their priority, and the jobs of one priority are assigned in the order
-- in which they came, whatever their task, as far as groups do not take turns.
--
-- A waiting job is in one of: a queue, `delayed` until it is due, `blocked:<resource>` while another job has the resource, `unique:<key>` while
-- another job has its unique key; `blocked` has the ids of the latter two.
local keys = require('keys')
local limits = require('limits')
local rare_keys = require('rare_keys')
local special = require('special')
local tombstones = require('tombstones')
local values = require('values')
local turns = lazy('turns')
local call = redis.call
local queues = {}

-- What separates a priority and a task in `index`, and stands behind a priority in `queues`: of jobs with a group, and of others.
local GROUPED, SINGLE = '*', ':'

local function digits(priority)
  return string.format('%.0f', priority)
end

-- A queue but `ready:0`: its sorted set, `grouped` if groups take turns in it, and its member of `index`, where those of one priority are in the order
-- of their tasks.
local function queue_of(priority, task, grouped)
  local key, entry
  if grouped then
    key, entry = turns().key_of(priority, task), digits(priority) .. GROUPED .. task
  else
    entry = digits(priority) .. SINGLE .. task
    key = keys.of('ready', (task ~= '' or priority == 0) and entry or digits(priority))
  end
  return { priority = priority, task = task, grouped = grouped or false, key = key, entry = entry }
end

-- The queue of a job.
local function of_job(extra)
  return queue_of(extra.priority, extra.task, extra.group ~= nil)
end

-- Priorities of a task whose sorted sets are not empty, highest first.
local function priorities_of(task)
  return task == '' and rare_keys.queues or keys.of('queues', task)
end

-- The member of `priorities_of` of a queue.
local function mark_of(queue)
  return queue.grouped and digits(queue.priority) .. GROUPED or digits(queue.priority)
end

queues.of, queues.of_job, queues.priorities_of = queue_of, of_job, priorities_of

function queues.is_plain(priority, task, group)
  return priority == 0 and task == '' and not group
end

-- Adds a sorted set that is not empty to the index.
function queues.list(queue)
  call('ZADD', priorities_of(queue.task), -queue.priority, mark_of(queue))
  if queue.task ~= '' then
    call('SADD', rare_keys.tasks, queue.task)
  end
  if call('ZADD', rare_keys.index, -queue.priority, queue.entry) == 1 then
    special.queues = special.queues + 1
    special.update()
  end
end

local function add_scored(queue, ids, orders)
  local scored = {}
  for i, id in ipairs(ids) do
    scored[2 * i - 1] = orders[i]
    scored[2 * i] = id
  end
  call('ZADD', queue.key, unpack(scored))
end

-- batch: priority, task, `grouped` if its jobs have groups, ids, records and, in `orders`, their positions in the order of arrival.
function queues.push(batch, front)
  local ids, n = batch.ids, #batch.ids
  local plain = queues.is_plain(batch.priority, batch.task, batch.grouped)
  if plain and front then
    local reversed = {}
    for i = n, 1, -1 do
      reversed[n + 1 - i] = ids[i]
    end
    call('LPUSH', keys.ready, unpack(reversed))
  elseif plain and special.queues == 0 then
    call('RPUSH', keys.ready, unpack(ids))
  else
    local queue = queue_of(batch.priority, batch.task, batch.grouped)
    if queue.grouped then
      turns().push(queue, ids, batch.records, batch.orders, front)
    else
      add_scored(queue, ids, batch.orders)
    end
    if call('ZADD', priorities_of(queue.task), -queue.priority, mark_of(queue)) == 1 then
      queues.list(queue)
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
  local queue = queue_of(0, '')
  add_scored(queue, ids, orders)
  queues.list(queue)
end

-- Removes a task for which no job waits and which no worker with credit accepts.
function queues.forget_task(task)
  if task ~= '' and call('EXISTS', priorities_of(task)) == 0 and call('EXISTS', keys.of('load', task)) == 0 then
    call('SREM', rare_keys.tasks, task)
  end
end

-- Removes an empty queue from the index.
function queues.forget(queue)
  call('ZREM', priorities_of(queue.task), mark_of(queue))
  if call('ZREM', rare_keys.index, queue.entry) == 1 then
    special.queues = special.queues - 1
    special.update()
  end
  queues.forget_task(queue.task)
end

-- Removes a job from the sorted set of its queue. Returns whether it was there.
function queues.remove(id, extra)
  local queue = of_job(extra)
  if not queue.grouped then
    return call('ZREM', queue.key, id) == 1
  end
  local found = turns().remove(queue, extra.group, id)
  if found and turns().is_empty(queue) then
    queues.forget(queue)
  end
  return found
end

-- Whether a job is in the sorted set of its queue.
function queues.contain(id, extra)
  local queue = of_job(extra)
  return call('ZSCORE', queue.grouped and turns().jobs_of(queue, extra.group) or queue.key, id) ~= false
end

-- For the sweep: lists the queue of a job that waits in it.
function queues.mend(extra)
  local queue = of_job(extra)
  if queue.grouped then
    turns().mend(queue, extra)
  end
  if call('EXISTS', queue.key) == 1 then
    queues.list(queue)
  end
end

-- Parses a member of `index`: returns its queue, or nil.
function queues.read_entry(entry)
  local priority, mark, task = string.match(entry, '^(-?%d+)([*:])(.*)$')
  priority = values.bounded(priority, -limits.PRIORITY, limits.PRIORITY)
  return priority and queue_of(priority, task, mark == GROUPED)
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

-- The queues of a task that are not empty, without `ready:0`, highest priority first.
function queues.of_task(task)
  if special.queues == 0 then
    return {}
  end
  local found = {}
  for _, text in ipairs(call('ZRANGE', priorities_of(task), 0, 99)) do
    local number, mark = string.match(text, '^(-?%d+)(%*?)$')
    local priority = values.bounded(number, -limits.PRIORITY, limits.PRIORITY)
    if priority then
      found[#found + 1] = queue_of(priority, task, mark == GROUPED)
    else
      call('ZREM', priorities_of(task), text)
    end
  end
  return found
end

return queues
