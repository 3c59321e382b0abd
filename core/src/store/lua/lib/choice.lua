-- The jobs and workers that a chooser sees, and assignments that it makes.
local admission = require('admission')
local assignment = require('assignment')
local chooser = require('chooser')
local extras = require('extras')
local keys = require('keys')
local limits = require('limits')
local owner = require('owner')
local pauses = require('pauses')
local queue_heads = require('queue_heads')
local queues = require('queues')
local ranking = require('ranking')
local rare_keys = require('rare_keys')
local special = require('special')
local tombstones = require('tombstones')
local workers = require('workers')
local turns = lazy('turns')
local call = redis.call
local choice = {}

-- Limits of one call: queues, entries of the queues of one priority, pages of `ready:0`, members.
local QUEUES, ENTRIES, PAGES, MEMBERS = 1000, 2000, 20, 1000

local function queues_to_choose()
  if #special.chooser.tasks == 0 then
    return (queues.page(0, QUEUES))
  end
  local found = {}
  for _, task in ipairs(special.chooser.tasks) do
    for _, queue in ipairs(queues.of_task(task)) do
      found[#found + 1] = queue
    end
  end
  table.sort(found, function(one, other)
    return one.priority > other.priority
  end)
  return found
end

-- The queues of the chooser's tasks, in the order of assignment: {priority, queues with it, ready if `ready:0` is among them}, ...
local function levels_to_choose()
  local levels = {}
  local function level(priority)
    local last = levels[#levels]
    if not last or last.priority ~= priority then
      last = { priority = priority, queues = {} }
      levels[#levels + 1] = last
    end
    return last
  end
  local plain = chooser.is_chosen('') and not pauses.is_paused('') and call('EXISTS', keys.ready) == 1
  for _, queue in ipairs(queues_to_choose()) do
    if plain and queue.priority <= 0 then
      level(0).ready, plain = true, false
    end
    if not pauses.is_paused(queue.task) then
      local here = level(queue.priority).queues
      here[#here + 1] = queue
    end
  end
  if plain then
    level(0).ready = true
  end
  return levels
end

local function is_full(shown)
  return #shown.jobs >= 2 * shown.most or shown.bytes >= limits.BYTES
end

-- Adds jobs to the result while there is space. Returns how many exist.
local function show(shown, ids, records)
  local there = 0
  for i, id in ipairs(ids) do
    if records[i] then
      there = there + 1
      if not is_full(shown) then
        shown.bytes = shown.bytes + #records[i]
        shown.jobs[#shown.jobs + 1], shown.jobs[#shown.jobs + 2] = id, records[i]
      end
    end
  end
  return there
end

-- Skips dead entries. If all entries at the front are dead, removes them.
local function show_ready(shown)
  local from = 0
  for _ = 1, PAGES do
    local ids = not is_full(shown) and call('LRANGE', keys.ready, from, from + shown.most - 1) or {}
    if #ids == 0 then
      return
    end
    local records, alive = call('HMGET', keys.jobs, unpack(ids)), tombstones.are_alive(ids)
    for i = 1, #ids do
      records[i] = alive[i] and records[i]
    end
    if show(shown, ids, records) == 0 and from == 0 then
      tombstones.living(call('LPOP', keys.ready, #ids), {})
    else
      from = from + shown.most
    end
  end
end

-- Removes the entry of a job that does not exist.
local function discard(job)
  if job.queue.grouped then
    turns().remove(job.queue, job.group.name, job.id)
  else
    call('ZREM', job.queue.key, job.id)
  end
end

local function show_sorted(shown, level)
  if is_full(shown) then
    return
  end
  local all, share = {}, math.min(shown.most, math.max(1, math.floor(ENTRIES / math.max(1, #level.queues))))
  for _, queue in ipairs(level.queues) do
    for _, job in ipairs((queue_heads.first(queue, share))) do
      job.queue = queue
      all[#all + 1] = job
    end
  end
  table.sort(all, queue_heads.by_order)
  for at = 1, #all, shown.most do
    local ids = {}
    for i = at, math.min(#all, at + shown.most - 1) do
      ids[#ids + 1] = all[i].id
    end
    local records = is_full(shown) and {} or call('HMGET', keys.jobs, unpack(ids))
    for i, found in ipairs(records) do
      if not found then
        discard(all[at + i - 1])
      end
    end
    show(shown, ids, records)
  end
end

-- The first jobs of the queues of the chooser's tasks: id and record in turn.
function choice.waiting_jobs(most)
  local shown = { jobs = {}, bytes = 0, most = most }
  for _, level in ipairs(levels_to_choose()) do
    if level.ready then
      show_ready(shown)
    end
    show_sorted(shown, level)
  end
  return shown.jobs
end

local function by_rank(a, b)
  return a[1] < b[1] or a[1] == b[1] and a[2] < b[2]
end

-- Members that accept at least one of these jobs (id, record, ...), the least loaded first, in the format of choose.lua.
function choice.candidates(jobs)
  local tasks, seen, found = {}, {}, {}
  for i = 2, #jobs, 2 do
    tasks[extras.of(jobs[i]).task] = true
  end
  for task in pairs(tasks) do
    local ranked = call('ZRANGE', workers.load_of(task), 0, MEMBERS - 1, 'WITHSCORES')
    for i = 1, #ranked, 2 do
      local inc, score = ranked[i], tonumber(ranked[i + 1])
      if not seen[inc] then
        seen[inc] = true
        local row = call('HMGET', keys.of('member', inc), 'tasks', 'ranges', 'quotas', 'name', 'group', 'host', 'pid')
        for j = 1, #row do
          row[j] = row[j] or ''
        end
        found[#found + 1] = { score, inc, ranking.active(score), ranking.credit(score), unpack(row) }
      end
    end
  end
  table.sort(found, by_rank)
  return found
end

-- Removes a job from its queue. Returns whether it was in one.
local function dequeue(id, extra)
  -- A delayed or blocked job is in no queue.
  if call('ZSCORE', rare_keys.delayed, id) or call('SISMEMBER', rare_keys.blocked, id) == 1 then
    return false
  end
  if queues.remove(id, extra) then
    return true
  end
  if not queues.is_plain(extra.priority, extra.task, extra.group) or call('EXISTS', keys.ready) == 0 then
    return false
  end
  tombstones.bury(id)
  return true
end

-- Assigns a job to a member, if the job waits and the member can accept it. Returns whether the member owns the job.
function choice.assign(id, inc)
  local found, held = call('HGET', keys.jobs, id), call('HGET', keys.owner, id)
  if not found then
    return false
  elseif held then
    -- The call may be a repetition whose first reply was lost.
    local _, holder, deleting = owner.read(held)
    return holder == inc and not deleting
  end
  local extra, worker = extras.of(found), workers.read(inc)
  local score = tonumber(workers.score(inc, worker) or nil)
  if not score or not workers.takes(worker, extra.task) or pauses.is_paused(extra.task) then
    return false
  end
  local active, credit = ranking.active(score), ranking.credit(score)
  if workers.free_slots(worker, extra.priority, credit) < 1 or not dequeue(id, extra) then
    return false
  end
  local ids, records = admission.admit({ id }, { found })
  if #ids == 0 then
    return false
  end
  assignment.send(inc, ids, records, 1, 1)
  workers.use_slots(worker, extra.priority, 1)
  workers.set_load(inc, worker, active + 1, credit - 1)
  return true
end

return choice
