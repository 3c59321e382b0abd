-- Members to which jobs can be assigned: the tasks they accept, the free slots of their quotas, their place in `load`.
local clock = require('clock')
local due_entries = require('due_entries')
local extras = require('extras')
local keys = require('keys')
local limits = require('limits')
local queues = require('queues')
local ranking = require('ranking')
local rare_keys = require('rare_keys')
local values = require('values')
local call = redis.call
local workers = {}

local MAX_ITEMS = 1000

function workers.load_of(task)
  return task == '' and keys.load or keys.of('load', task)
end

-- A list in a member's record, each item as is_item requires; nil if there is none, false if it is damaged.
local function list_of(value, is_item)
  if not value or value == '' then
    return nil
  end
  local list = values.unpacked(value)
  if type(list) ~= 'table' or #list > MAX_ITEMS then
    return false
  end
  for _, item in ipairs(list) do
    if not is_item(item) then
      return false
    end
  end
  return list
end

local function is_task(value)
  return value == '' or value ~= nil and extras.is_name(value)
end

local function is_number(value)
  return values.bounded(value, -limits.PRIORITY, limits.PRIORITY) ~= nil
end

-- What a member accepts: tasks; the first priorities of its ranges and the free slots in each, if it guarantees slots. A member with a damaged
-- record accepts nothing.
function workers.read(inc)
  local fields = call('HMGET', keys.of('member', inc), 'tasks', 'ranges', 'quotas')
  local worker = { tasks = list_of(fields[1], is_task), ranges = list_of(fields[2], is_number), quotas = list_of(fields[3], is_number) }
  worker.own = worker.tasks ~= nil or worker.ranges ~= nil
  if worker.tasks == false or worker.ranges == false then
    worker.damaged, worker.tasks, worker.ranges = true, {}, nil
  end
  worker.tasks = worker.tasks or { '' }
  if worker.ranges then
    worker.quotas = worker.quotas or {}
    for i = 1, #worker.ranges do
      worker.quotas[i] = worker.quotas[i] or 0
    end
  end
  return worker
end

-- A worker that accepts any job without a task.
function workers.plain()
  return { tasks = { '' } }
end

function workers.takes(worker, task)
  for _, one in ipairs(worker.tasks) do
    if one == task then
      return true
    end
  end
  return false
end

-- The range of a priority: the highest that begins at or below it, or else the lowest.
local function range_of(worker, priority)
  local range = 1
  for i, from in ipairs(worker.ranges) do
    if from <= priority then
      range = i
    end
  end
  return range
end

-- How many jobs of a priority it can accept.
function workers.free_slots(worker, priority, credit)
  return worker.ranges and math.min(credit, worker.quotas[range_of(worker, priority)]) or credit
end

function workers.use_slots(worker, priority, number)
  if worker.ranges then
    local range = range_of(worker, priority)
    worker.quotas[range] = worker.quotas[range] - number
    worker.changed = true
  end
end

-- Adds free slots in each range.
function workers.grant(worker, quotas)
  for range in ipairs(worker.ranges) do
    worker.quotas[range] = worker.quotas[range] + (tonumber(quotas[range]) or 0)
  end
  worker.changed = true
end

-- Withdraws the free slots of all ranges.
function workers.revoke(worker)
  for range in ipairs(worker.ranges) do
    worker.quotas[range] = 0
  end
  worker.changed = true
end

function workers.add_tasks(tasks)
  for _, task in ipairs(cmsgpack.unpack(tasks)) do
    if task ~= '' then
      call('SADD', rare_keys.tasks, task)
    end
  end
end

function workers.forget_tasks(worker)
  for _, task in ipairs(worker.tasks) do
    queues.forget_task(task)
  end
end

-- Sets the tasks of the member. It has no credit until it requests jobs.
function workers.set_tasks(inc, tasks)
  local before = workers.read(inc)
  workers.set_load(inc, before, 0, 0)
  workers.forget_tasks(before)
  call('HSET', keys.of('member', inc), 'tasks', tasks)
  workers.add_tasks(tasks)
end

function workers.set_load(inc, worker, active, credit)
  for _, task in ipairs(worker.tasks) do
    if credit > 0 then
      call('ZADD', workers.load_of(task), ranking.score(active, credit, worker.own), inc)
    else
      call('ZREM', workers.load_of(task), inc)
    end
  end
  if worker.changed then
    call('HSET', keys.of('member', inc), 'quotas', cmsgpack.pack(worker.quotas))
  end
end

-- The score of a member that has credit.
function workers.score(inc, worker)
  return worker.tasks[1] and call('ZSCORE', workers.load_of(worker.tasks[1]), inc)
end

-- Whether a member is silent. It renews its lease every third of it; one that did not for half of it may be dead.
function workers.is_silent(inc)
  local lease_end = tonumber(call('ZSCORE', keys.due, due_entries.LEASE .. inc)) or 0
  local lease = tonumber(call('HGET', keys.of('member', inc), 'lease')) or 0
  return lease_end - clock.now < lease / 2
end

return workers
