-- Takes jobs out of queues. Functions return ids, records and how many entries were taken.
local keys = require('keys')
local queues = require('queues')
local script = require('script')
local tombstones = require('tombstones')
local call = redis.call
local heads = {}

-- The limit of entries that one call of `pop` reads, in all queues of a priority.
local LOOKED_AT = 2000

local function members_of(scored)
  local ids = {}
  for i = 1, #scored, 2 do
    ids[#ids + 1] = scored[i]
  end
  return ids
end

heads.members_of = members_of

local function first_of_queue(priority, task, n)
  local ids = members_of(call('ZPOPMIN', queues.key_of(priority, task), n))
  if #ids < n then
    queues.forget(priority, task)
  end
  return ids
end

local function by_order(one, other)
  return one.order < other.order
end

heads.by_order = by_order

-- The first ids of several tasks, in the order in which they came.
local function first_of_queues(priority, tasks, n)
  -- The number of entries that are read is limited, not only that of those taken; the caller may repeat the call.
  n = math.min(n, math.max(1, math.floor(LOOKED_AT / #tasks)))
  local all = {}
  for _, task in ipairs(tasks) do
    local some = call('ZRANGE', queues.key_of(priority, task), 0, n - 1, 'WITHSCORES')
    if #some == 0 then
      queues.forget(priority, task)
    end
    for i = 1, #some, 2 do
      all[#all + 1] = { id = some[i], order = tonumber(some[i + 1]), task = task }
    end
  end
  table.sort(all, by_order)
  local ids, of_task = {}, {}
  for i = 1, math.min(n, #all) do
    local task = all[i].task
    ids[i] = all[i].id
    of_task[task] = of_task[task] or {}
    table.insert(of_task[task], all[i].id)
  end
  for task, list in pairs(of_task) do
    call('ZREM', queues.key_of(priority, task), unpack(list))
  end
  return ids
end

-- Takes up to n jobs out of the sorted sets of one priority.
function heads.pop(priority, tasks, n)
  local some = #tasks == 1 and first_of_queue(priority, tasks[1], n) or first_of_queues(priority, tasks, n)
  if #some == 0 then
    return {}, {}, 0
  end
  script.in_hand[#script.in_hand + 1] = some
  local found, whole = call('HMGET', keys.jobs, unpack(some)), true
  for i = 1, #found do
    whole = whole and found[i]
  end
  if whole then
    -- The common case, without copying.
    return some, found, #some
  end
  local ids, records = {}, {}
  for i, id in ipairs(some) do
    if found[i] then
      ids[#ids + 1] = id
      records[#records + 1] = found[i]
    end
  end
  return ids, records, #some
end

-- Takes up to n jobs out of `ready:0`.
function heads.pop_ready(n)
  local some, ids, records = call('LPOP', keys.ready, n) or {}, {}, {}
  if #some > 0 then
    script.in_hand[#script.in_hand + 1] = some
    ids, records = tombstones.living(some, call('HMGET', keys.jobs, unpack(some)))
  end
  if #some < n then
    tombstones.forget()
  end
  return ids, records, #some
end

return heads
