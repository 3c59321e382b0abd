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

-- Stands for the queue of plain jobs.
local PLAIN = ''
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

-- Assigns the next jobs of a batch up to its `to`th. Returns whether it assigned all of them.
local function assign_batch(batch, to)
  assign(batch.priority, batch.task, function(most)
    local ids, records = {}, {}
    for i = batch.done + 1, math.min(batch.done + most, to) do
      ids[#ids + 1], records[#records + 1] = batch.ids[i], batch.records[i]
    end
    batch.done = batch.done + #ids
    return ids, records, #ids
  end)
  return batch.done >= to
end

-- Assigns the jobs of several batches in the order in which they came.
local function assign_in_order(batches)
  local all = {}
  for _, batch in ipairs(batches) do
    for i = 1, #batch.ids do
      all[#all + 1] = { order = batch.orders[i], batch = batch, at = i }
    end
  end
  table.sort(all, function(a, b)
    return a.order < b.order
  end)
  for i, job in ipairs(all) do
    local following = all[i + 1]
    if not job.batch.full and not (following and following.batch == job.batch) then
      job.batch.full = not assign_batch(job.batch, job.at)
    end
  end
end

-- Assigns batches of one priority. If there are not free slots for all, jobs are assigned in the order in which they came.
local function assign_batches(batches)
  if #batches == 1 then
    assign_batch(batches[1], #batches[1].ids)
    return
  end
  local count, scarce, some = 0, false, false
  for _, batch in ipairs(batches) do
    count = count + #batch.ids
  end
  for _, batch in ipairs(batches) do
    local _, free = candidates(batch.priority, batch.task)
    batch.full = free == 0
    scarce, some = scarce or free < count, some or free > 0
  end
  if not scarce then
    for _, batch in ipairs(batches) do
      assign_batch(batch, #batch.ids)
    end
  elseif some then
    assign_in_order(batches)
  end
end

-- Queues the jobs that were not assigned.
local function push_rest(batch, front)
  if batch.done > 0 then
    local ids, records, orders = {}, {}, {}
    for i = batch.done + 1, #batch.ids do
      ids[#ids + 1], records[#records + 1], orders[#orders + 1] = batch.ids[i], batch.records[i], batch.orders[i]
    end
    batch.ids, batch.records, batch.orders = ids, records, orders
  end
  if #batch.ids > 0 then
    queues.push(batch, front)
  end
end

local function by_priority(a, b)
  return a.priority > b.priority or a.priority == b.priority and a.task < b.task
end

local function plain_last(a, b)
  return not queues.is_plain(a.priority, a.task, a.grouped) and queues.is_plain(b.priority, b.task, b.grouped)
end

-- Assigns new jobs as far as possible, and queues the others. batches: those of one queue, as queues.push has them; `count` orders are used up.
-- The caller settles resources before it reads orders. No older job waits that a member could accept, so the new jobs need not be queued first.
function matching.take_in(batches, count, front)
  for _, batch in ipairs(batches) do
    script.in_hand[#script.in_hand + 1] = batch.ids
    batch.done = 0
  end
  special.advance(count)
  table.sort(batches, by_priority)
  local at = 1
  while at <= #batches do
    local same = {}
    repeat
      same[#same + 1] = batches[at]
      at = at + 1
    until not batches[at] or batches[at].priority ~= same[1].priority
    assign_batches(same)
  end
  -- Plain jobs last: beside other waiting jobs they keep their place among them.
  table.sort(batches, plain_last)
  for _, batch in ipairs(batches) do
    push_rest(batch, front)
  end
end

-- Queues jobs, behind all others of their kind or (front) before them, and assigns as many as possible.
function matching.enqueue(ids, records, front)
  -- Before orders are read: it uses up some.
  resources.settle()
  local batches, of_queue, of_extra = {}, {}, {}
  for i, id in ipairs(ids) do
    local extra = extras.of(records[i])
    local entry = of_extra[extra] or queues.is_plain(extra.priority, extra.task, extra.group) and PLAIN or queues.of_job(extra).entry
    local batch = of_queue[entry]
    of_extra[extra] = entry
    if not batch then
      batch = { priority = extra.priority, task = extra.task, grouped = extra.group ~= nil, ids = {}, records = {}, orders = {} }
      of_queue[entry] = batch
      batches[#batches + 1] = batch
    end
    local n = #batch.ids + 1
    batch.ids[n], batch.records[n] = id, records[i]
    batch.orders[n] = front and i - #ids - 1 - special.sequence or special.sequence + i
  end
  matching.take_in(batches, #ids, front)
end

return matching
