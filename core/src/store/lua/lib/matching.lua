-- Assigns jobs of all kinds in order; queues those that no member can accept.
local admission = require('admission')
local assignment = require('assignment')
local chooser = require('chooser')
local extras = require('extras')
local meta = require('meta')
local pauses = require('pauses')
local placement = require('placement')
local queues = require('queues')
local ranking = require('ranking')
local resources = require('resources')
local script = require('script')
local special = require('special')
local workers = require('workers')
local matching = {}

-- Members that are read at once while a member for a job is searched.
local PAGE = 100

-- Appends the members of a page of `load` to which jobs of this priority can be assigned. Returns their free slots.
local function append_candidates(found, ranked, priority)
  local total = 0
  for i = 1, #ranked, 2 do
    local inc, score = ranked[i], tonumber(ranked[i + 1])
    local credit = ranking.credit(score)
    local worker = ranking.is_plain(score) and workers.plain() or workers.read(inc)
    local free = workers.free_slots(worker, priority, credit)
    if free > 0 and not (placement.wary and workers.is_silent(inc)) then
      local n = #found.incs + 1
      worker.credit = credit
      found.incs[n], found.loads[n], found.free[n], found.workers[n] = inc, ranking.active(score), free, worker
      total = total + free
    end
  end
  return total
end

-- Members to which jobs of this priority and task can be assigned, the least loaded first, and how many they can accept together.
local function candidates(priority, task)
  local found, from = { incs = {}, loads = {}, free = {}, workers = {} }, 0
  local total
  repeat
    local ranked = redis.call('ZRANGE', workers.load_of(task), from, from + PAGE - 1, 'WITHSCORES')
    total = append_candidates(found, ranked, priority)
    from = from + PAGE
  until total > 0 or #ranked < 2 * PAGE
  return found, total
end

-- Assigns jobs of one priority and task to the members that can accept them. next_jobs(most) returns up to so many of them, ids and records, and how
-- many entries it read; 0 if there are none.
local function assign(priority, task, next_jobs)
  while not pauses.is_paused(task) do
    local found, free = candidates(priority, task)
    if free == 0 then
      return
    end
    if chooser.is_chosen(task) then
      return chooser.ask()
    end
    local ids, records, seen = next_jobs(math.min(free, meta.move_limit))
    if seen == 0 then
      return
    end
    ids, records = admission.admit(ids, records)
    local share = #found.incs == 1 and { #ids } or placement.shares(found.loads, found.free, #ids)
    local placed = 0
    for i, inc in ipairs(found.incs) do
      if share[i] > 0 then
        local worker = found.workers[i]
        assignment.send(inc, ids, records, placed + 1, placed + share[i])
        placed = placed + share[i]
        workers.use_slots(worker, priority, share[i])
        workers.set_load(inc, worker, found.loads[i] + share[i], worker.credit - share[i])
      end
    end
  end
end

-- Assigns the next jobs of a group up to its `to`th. Returns whether it assigned all of them.
local function assign_group(group, to)
  assign(group.priority, group.task, function(most)
    local ids, records = {}, {}
    for i = group.done + 1, math.min(group.done + most, to) do
      ids[#ids + 1], records[#records + 1] = group.ids[i], group.records[i]
    end
    group.done = group.done + #ids
    return ids, records, #ids
  end)
  return group.done >= to
end

-- Assigns the jobs of several groups in the order in which they came.
local function assign_in_order(groups)
  local all = {}
  for _, group in ipairs(groups) do
    for i = 1, #group.ids do
      all[#all + 1] = { order = group.orders[i], group = group, at = i }
    end
  end
  table.sort(all, function(a, b)
    return a.order < b.order
  end)
  for i, job in ipairs(all) do
    local following = all[i + 1]
    if not job.group.full and not (following and following.group == job.group) then
      job.group.full = not assign_group(job.group, job.at)
    end
  end
end

-- Assigns groups of one priority. If there are not free slots for all, jobs are assigned in the order in which they came.
local function assign_groups(groups)
  if #groups == 1 then
    assign_group(groups[1], #groups[1].ids)
    return
  end
  local count, scarce, some = 0, false, false
  for _, group in ipairs(groups) do
    count = count + #group.ids
  end
  for _, group in ipairs(groups) do
    local _, free = candidates(group.priority, group.task)
    group.full = free == 0
    scarce, some = scarce or free < count, some or free > 0
  end
  if not scarce then
    for _, group in ipairs(groups) do
      assign_group(group, #group.ids)
    end
  elseif some then
    assign_in_order(groups)
  end
end

-- Queues the jobs that were not assigned.
local function push_rest(group, front)
  if group.done > 0 then
    local ids, orders = {}, {}
    for i = group.done + 1, #group.ids do
      ids[#ids + 1], orders[#orders + 1] = group.ids[i], group.orders[i]
    end
    group.ids, group.orders = ids, orders
  end
  if #group.ids > 0 then
    queues.push(group.priority, group.task, group.ids, group.orders, front)
  end
end

local function by_priority(a, b)
  return a.priority > b.priority or a.priority == b.priority and a.task < b.task
end

local function plain_last(a, b)
  return not queues.is_plain(a.priority, a.task) and queues.is_plain(b.priority, b.task)
end

-- Assigns new jobs as far as possible, and queues the others. groups: priority, task, ids, records and orders of each; `count` orders are used up.
-- The caller settles resources before it reads orders. No older job waits that a member could accept, so the new jobs need not be queued first.
function matching.take_in(groups, count, front)
  for _, group in ipairs(groups) do
    script.in_hand[#script.in_hand + 1] = group.ids
    group.done = 0
  end
  special.advance(count)
  table.sort(groups, by_priority)
  local at = 1
  while at <= #groups do
    local same = {}
    repeat
      same[#same + 1] = groups[at]
      at = at + 1
    until not groups[at] or groups[at].priority ~= same[1].priority
    assign_groups(same)
  end
  -- Plain jobs last: beside other waiting jobs they keep their place among them.
  table.sort(groups, plain_last)
  for _, group in ipairs(groups) do
    push_rest(group, front)
  end
end

-- Queues jobs, behind all others of their kind or (front) before them, and assigns as many as possible.
function matching.enqueue(ids, records, front)
  -- Before orders are read: it uses up some.
  resources.settle()
  local groups, of_queue = {}, {}
  for i, id in ipairs(ids) do
    local extra = extras.of(records[i])
    local entry = queues.entry_of(extra.priority, extra.task)
    local group = of_queue[entry]
    if not group then
      group = { priority = extra.priority, task = extra.task, ids = {}, records = {}, orders = {} }
      of_queue[entry] = group
      groups[#groups + 1] = group
    end
    local n = #group.ids + 1
    group.ids[n], group.records[n] = id, records[i]
    group.orders[n] = front and i - #ids - 1 - special.sequence or special.sequence + i
  end
  matching.take_in(groups, #ids, front)
end

return matching
