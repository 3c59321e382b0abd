-- Takes jobs out of queues. Functions return ids, records, how many entries were taken, and whether none is left.
local keys = require('keys')
local queues = require('queues')
local script = require('script')
local tombstones = require('tombstones')
local turns = lazy('turns')
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

local function first_in_turn(queue, n)
  local ids, none
  repeat
    local some
    some, none = turns().pop(queue, n - (ids and #ids or 0))
    if not ids then
      -- The common case, without copying.
      ids = some
    else
      for _, id in ipairs(some) do
        ids[#ids + 1] = id
      end
    end
  until none or #ids >= n
  return ids
end

local function first_of_queue(queue, n)
  local ids = queue.grouped and first_in_turn(queue, n) or members_of(call('ZPOPMIN', queue.key, n))
  if #ids < n then
    queues.forget(queue)
  end
  return ids
end

-- Of several queues, which have jobs in their own order.
function heads.by_order(one, other)
  return one.order < other.order or one.order == other.order and one.at < other.at
end

-- Up to n jobs of a queue: {id, order, at: the position in the queue}, ..., and if its groups take turns, the plan of these.
function heads.first(queue, n)
  if queue.grouped then
    local plan = turns().plan(queue, n)
    return plan.jobs, plan
  end
  local jobs, scored = {}, call('ZRANGE', queue.key, 0, n - 1, 'WITHSCORES')
  for i = 1, #scored, 2 do
    jobs[#jobs + 1] = { id = scored[i], order = tonumber(scored[i + 1]), at = #jobs + 1 }
  end
  return jobs, nil
end

local function take(source)
  if not source.plan then
    call('ZREM', source.queue.key, unpack(source.ids))
  elseif turns().take(source.plan, #source.ids) then
    queues.forget(source.queue)
  end
end

-- The first ids of several queues, in the order in which they came, and how many were wanted of them.
local function first_of_queues(list, n)
  -- The number of entries that are read is limited, not only that of those taken; the caller may repeat the call.
  n = math.min(n, turns().AT_ONCE, math.max(1, math.floor(LOOKED_AT / #list)))
  local all, sources = {}, {}
  for i, queue in ipairs(list) do
    local some, plan = heads.first(queue, n)
    if #some == 0 then
      queues.forget(queue)
    end
    sources[i] = { queue = queue, plan = plan, ids = {} }
    for _, job in ipairs(some) do
      job.source = sources[i]
      all[#all + 1] = job
    end
  end
  table.sort(all, heads.by_order)
  local ids = {}
  for i = 1, math.min(n, #all) do
    local job = all[i]
    ids[i] = job.id
    table.insert(job.source.ids, job.id)
  end
  for _, source in ipairs(sources) do
    if #source.ids > 0 then
      take(source)
    end
  end
  return ids, n
end

-- Takes up to n jobs out of the sorted sets of one priority.
function heads.pop(list, n)
  local some, wanted
  if #list == 1 then
    some, wanted = first_of_queue(list[1], n), n
  else
    some, wanted = first_of_queues(list, n)
  end
  local all = #some < wanted
  if #some == 0 then
    return {}, {}, 0, all
  end
  script.in_hand[#script.in_hand + 1] = some
  local found, whole = call('HMGET', keys.jobs, unpack(some)), true
  for i = 1, #found do
    whole = whole and found[i]
  end
  if whole then
    -- The common case, without copying.
    return some, found, #some, all
  end
  local ids, records = {}, {}
  for i, id in ipairs(some) do
    if found[i] then
      ids[#ids + 1] = id
      records[#records + 1] = found[i]
    end
  end
  return ids, records, #some, all
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
  return ids, records, #some, #some < n
end

return heads
