-- Queues of jobs with groups, one for each priority and task: the groups that wait in it take turns. `turns:<queue>` has each group by its virtual
-- time, which grows by TURN / weight with each of its jobs; the group with the least time is next. `group:<queue>:<group>` has the jobs of one group by
-- the order of arrival, `weights:<queue>` the weights other than 1, and `group_waiting` the number of jobs of each queue.
--
-- A group that begins to wait starts half a turn of its own behind the first: not at once, so that one that comes back again and again has no more
-- turns than the others.
local extras = require('extras')
local keys = require('keys')
local rare_keys = require('rare_keys')
local values = require('values')
local call = redis.call

-- The time of a turn at weight 1. Times are whole, which Redis stores and compares faster.
local TURN = 1000000

local turns = {
  -- The limit of groups and jobs of one plan.
  AT_ONCE = 200,
}

local function name_of(priority, task)
  return string.format('%.0f:%s', priority, task)
end

function turns.key_of(priority, task)
  return keys.of('turns', name_of(priority, task))
end

local function weights_of(queue)
  return keys.of('weights', name_of(queue.priority, queue.task))
end

-- The length separates the task from the group.
local function prefix_of(queue)
  queue.prefix = queue.prefix or keys.of('group', string.format('%.0f:%d:%s:', queue.priority, #queue.task, queue.task))
  return queue.prefix
end

local function jobs_of(queue, group)
  return prefix_of(queue) .. group
end

turns.jobs_of = jobs_of

local function step_of(weight)
  return math.floor(TURN / weight)
end

local function set_weights(queue, groups, weights)
  local heavy, light = {}, {}
  for _, group in ipairs(groups) do
    if weights[group] == 1 then
      light[#light + 1] = group
    else
      heavy[#heavy + 1], heavy[#heavy + 2] = group, weights[group]
    end
  end
  if #light > 0 and call('EXISTS', weights_of(queue)) == 1 then
    call('HDEL', weights_of(queue), unpack(light))
  end
  if #heavy > 0 then
    call('HSET', weights_of(queue), unpack(heavy))
  end
end

-- Lets groups wait for their turns; in front, they are among the first.
local function enter(queue, groups, weights, front)
  local first = tonumber(call('ZRANGE', queue.key, 0, 0, 'WITHSCORES')[2]) or 0
  local scored = {}
  for _, group in ipairs(groups) do
    scored[#scored + 1], scored[#scored + 2] = front and first or first + math.floor(step_of(weights[group]) / 2), group
  end
  call('ZADD', queue.key, front and 'LT' or 'NX', unpack(scored))
  set_weights(queue, groups, weights)
end

-- Ids, records and orders are parallel.
function turns.push(queue, ids, records, orders, front)
  local scored, groups, weights, new = {}, {}, {}, 0
  for i, id in ipairs(ids) do
    local extra = extras.of(records[i])
    local some = scored[extra.group]
    if not some then
      some = {}
      scored[extra.group] = some
      groups[#groups + 1] = extra.group
    end
    weights[extra.group] = extra.weight
    some[#some + 1], some[#some + 2] = orders[i], id
  end
  for _, group in ipairs(groups) do
    new = new + call('ZADD', jobs_of(queue, group), unpack(scored[group]))
  end
  enter(queue, groups, weights, front)
  call('HINCRBY', rare_keys.group_waiting, queue.entry, new)
end

-- The groups that are next: name, time and time of a turn of each, and how many turns it has.
local function first_groups(queue, most)
  local ranked, groups, names = call('ZRANGE', queue.key, 0, most - 1, 'WITHSCORES'), {}, {}
  for i = 1, #ranked, 2 do
    local name, time = ranked[i], tonumber(ranked[i + 1])
    names[#names + 1] = name
    groups[#groups + 1] = { name = name, start = time, time = time, step = TURN, turns = 0 }
  end
  if #names > 0 and call('EXISTS', weights_of(queue)) == 1 then
    for i, weight in ipairs(call('HMGET', weights_of(queue), unpack(names))) do
      groups[i].step = step_of(values.bounded(weight, 1, extras.MAX_WEIGHT) or 1)
    end
  end
  return groups
end

-- Inserts a group by its time into list[from..], which is sorted; with equal weights at its end.
local function insert(list, from, group)
  local to = #list
  if to < from or list[to].time <= group.time then
    list[math.max(to + 1, from)] = group
    return
  end
  local low, high = from, to
  while low < high do
    local middle = math.floor((low + high) / 2)
    if list[middle].time <= group.time then
      low = middle + 1
    else
      high = middle
    end
  end
  table.insert(list, low, group)
end

-- Whether no group waits; forgets how many jobs did.
function turns.is_empty(queue)
  if call('EXISTS', queue.key) == 1 then
    return false
  end
  call('HDEL', rare_keys.group_waiting, queue.entry)
  call('UNLINK', weights_of(queue))
  return true
end

-- Writes the turns that groups have had for `number` jobs: the new times of those that may still wait, as `moved`, and the names of the others.
-- Returns whether no group waits any more.
-- `0 - number`, because Redis does not accept -0.
local function write(queue, moved, empty, number)
  if call('HINCRBY', rare_keys.group_waiting, queue.entry, 0 - number) <= 0 then
    call('UNLINK', queue.key)
    return turns.is_empty(queue)
  end
  if #moved > 0 then
    call('ZADD', queue.key, 'XX', unpack(moved))
  end
  if #empty > 0 then
    call('ZREM', queue.key, unpack(empty))
    call('HDEL', weights_of(queue), unpack(empty))
  end
  return call('EXISTS', queue.key) == 0 and turns.is_empty(queue)
end

-- The next job of a group, or nil. `most`: how many of it may be wanted; one more is read, so that it is known when none is left.
local function next_of(queue, group, most)
  if group.at == #group.jobs and not group.all then
    local scored = call('ZRANGE', jobs_of(queue, group.name), group.at, group.at + most, 'WITHSCORES')
    group.all = #scored / 2 <= most
    for i = 1, #scored, 2 do
      group.jobs[#group.jobs + 1] = { id = scored[i], order = tonumber(scored[i + 1]), group = group }
    end
  end
  group.at = group.at + 1
  return group.jobs[group.at]
end

-- The groups that have the next turns, in their order, as if they had jobs for all of them.
local function turns_of(groups, most)
  local order, line, from = {}, { unpack(groups) }, 1
  for i = 1, #groups > 0 and most or 0 do
    local group = line[from]
    from = from + 1
    order[i], group.turns, group.time = group, group.turns + 1, group.time + group.step
    insert(line, from, group)
  end
  return order
end

-- Takes up to `most` jobs: ids, and whether no group waits any more. Of groups that have fewer jobs than turns, it takes fewer. One that had as many
-- stays until its next turn, if other groups wait: to look costs a call.
function turns.pop(queue, most)
  most = math.min(most, turns.AT_ONCE)
  local groups = first_groups(queue, most)
  local order, prefix, moved, empty, ids = turns_of(groups, most), prefix_of(queue), {}, {}, {}
  for _, group in ipairs(groups) do
    if group.turns > 0 then
      group.popped = call('ZPOPMIN', prefix .. group.name, group.turns)
      group.at = -1
      if #group.popped < 2 * group.turns then
        empty[#empty + 1] = group.name
      else
        moved[#moved + 1], moved[#moved + 2] = group.time, group.name
      end
    end
  end
  for _, group in ipairs(order) do
    group.at = group.at + 2
    ids[#ids + 1] = group.popped[group.at]
  end
  return ids, write(queue, moved, empty, #ids)
end

-- Plans the next turns: `jobs` has up to `most` jobs {id, order, group}. A job's order is at least that of the one before, so that jobs of other
-- queues of the priority can be merged by their orders. Changes nothing.
function turns.plan(queue, most)
  most = math.min(most, turns.AT_ONCE)
  local groups = first_groups(queue, most)
  for _, group in ipairs(groups) do
    group.jobs, group.at, group.taken, group.all = {}, 0, 0, false
  end
  local plan, line, from = { queue = queue, jobs = {}, groups = groups }, { unpack(groups) }, 1
  local last = -math.huge
  while #plan.jobs < most and from <= #line do
    local group = line[from]
    local share = math.ceil((most - #plan.jobs) / (#line - from + 1))
    from = from + 1
    local job = next_of(queue, group, share)
    if job then
      last = math.max(last, job.order)
      job.order, job.at = last, #plan.jobs + 1
      plan.jobs[job.at] = job
      group.time = group.time + group.step
      insert(line, from, group)
    end
  end
  return plan
end

-- Takes the first jobs of a plan. Returns whether no group waits any more.
function turns.take(plan, number)
  local queue, moved, empty = plan.queue, {}, {}
  for i = 1, number do
    local group = plan.jobs[i].group
    group.taken = group.taken + 1
  end
  for _, group in ipairs(plan.groups) do
    if group.taken > 0 then
      call('ZREMRANGEBYRANK', jobs_of(queue, group.name), 0, group.taken - 1)
    end
    if group.all and group.taken == #group.jobs then
      empty[#empty + 1] = group.name
    elseif group.taken > 0 then
      moved[#moved + 1], moved[#moved + 2] = group.start + group.taken * group.step, group.name
    end
  end
  return write(queue, moved, empty, number)
end

-- Removes a job. Returns whether it waited here.
function turns.remove(queue, group, id)
  if call('ZREM', jobs_of(queue, group), id) == 0 then
    return false
  end
  if call('HINCRBY', rare_keys.group_waiting, queue.entry, -1) <= 0 then
    call('UNLINK', queue.key)
  elseif call('EXISTS', jobs_of(queue, group)) == 0 then
    call('ZREM', queue.key, group)
    call('HDEL', weights_of(queue), group)
  end
  return true
end

-- For the sweep: a group with jobs has turns.
function turns.mend(queue, extra)
  if call('EXISTS', jobs_of(queue, extra.group)) == 1 and not call('ZSCORE', queue.key, extra.group) then
    enter(queue, { extra.group }, { [extra.group] = extra.weight }, false)
    return true
  end
  return false
end

-- The number of jobs and of groups that wait.
function turns.count(queue)
  return math.max(0, tonumber(call('HGET', rare_keys.group_waiting, queue.entry)) or 0), call('ZCARD', queue.key)
end

-- Removes up to `most` groups with their jobs. Returns whether none is left.
function turns.unlink(queue, most)
  local groups = call('ZRANGE', queue.key, 0, most - 1)
  for _, group in ipairs(groups) do
    call('UNLINK', jobs_of(queue, group))
  end
  if #groups > 0 then
    call('ZREM', queue.key, unpack(groups))
  end
  return turns.is_empty(queue)
end

return turns
