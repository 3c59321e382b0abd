-- Jobs with unique keys that are added: what becomes of one whose key another job has. Decisions are made before jobs are stored, in the order of the
-- batch; `write` writes them.
local blocking = require('blocking')
local clock = require('clock')
local endings = require('endings')
local extras = require('extras')
local keys = require('keys')
local rare_keys = require('rare_keys')
local record = require('record')
local skipped = require('positions')
local unique_keys = require('unique_keys')
local waiters = require('waiters')
local call = redis.call
local conflicts = {}

-- Ids of the jobs that have keys, as read for the batch; false for none.
local ids_of = {}
-- The job that has each key, or false: {id, gone, position: in this batch, if it is in it, queued: it was stored before, and is in its queue,
-- first_added, follower: the job that runs once more after it, follows: it is such a job}.
local holders = {}
-- By key: the job that gets it, {id, extra}; ids of the jobs that are attached; the id of a new job that runs once more.
local held, attached, following = {}, {}, {}

local function waits(job)
  return job.position or call('HEXISTS', keys.owner, job.id) == 0
end

-- The job that has the key, or nil. `gone`: it has been completed, and the key is kept for a time.
local function holder_of(key)
  if holders[key] == nil then
    local id = ids_of[key]
    if id == nil then
      id = call('HGET', rare_keys.unique, key)
    end
    local was = id and string.match(id, '^' .. unique_keys.GONE .. '(.*)$')
    local gone = was or id and call('HEXISTS', keys.jobs, id) == 0
    id = was or id
    holders[key] = id and (not gone or unique_keys.is_kept(key)) and { id = id, gone = gone } or false
  end
  return holders[key] or nil
end

-- The job that runs once more after the one that has the key, or nil.
local function follower_of(key, holder)
  if holder.follower == nil then
    local last = call('ZRANGE', keys.of(blocking.UNIQUE, key), -1, -1, 'WITHSCORES')
    local there = last[1] and tonumber(last[2]) >= unique_keys.LAST and call('HEXISTS', keys.jobs, last[1]) == 1
    holder.follower = there and { id = last[1], follows = true } or false
  end
  return holder.follower or nil
end

-- Reads who has the keys of the jobs at these positions of a batch, which may be negated.
function conflicts.read(jobs, positions)
  local names = {}
  for _, position in ipairs(positions) do
    local text = jobs[2 * math.abs(position)]
    local key = record.has_extras(text) and extras.of(text).unique
    if key and ids_of[key] == nil then
      ids_of[key], names[#names + 1] = false, key
    end
  end
  for i, id in ipairs(call('HMGET', rare_keys.unique, unpack(names))) do
    ids_of[names[i]] = id
  end
end

local function hold(key, id, extra)
  held[key] = { id, extra }
  unique_keys.waits[id] = false
end

local function attach(key, id)
  attached[key] = attached[key] or {}
  table.insert(attached[key], id)
  unique_keys.waits[id] = true
end

-- The record that replaces another one: a result that somebody may await is kept as before.
local function with_result_of(old, new, id)
  local ttl, requester = record.result_of(old)
  local new_ttl, new_requester = record.result_of(new)
  if ttl and not new_ttl then
    return record.with_result(new, ttl, requester)
  elseif ttl and requester ~= '' and requester ~= new_requester then
    waiters.add(id, requester)
  end
  return new
end

-- When a debounced job that replaces another was first added, and the pause until it is due: while the one that it replaces is delayed.
local function debounced(job, old, extra)
  local first = job.first_added or clock.now
  if not job.position then
    local due = tonumber(call('ZSCORE', rare_keys.delayed, job.id) or nil)
    if not due then
      return nil, 0
    end
    first = old.first_added or old.debounce and due - 1 - old.debounce or clock.now
  elseif job.queued then
    return nil, 0
  end
  return first, math.max(0, math.min(clock.now + extra.debounce, first + extra.max_wait) - clock.now)
end

-- Whether the job that is replaced stays in its queue, or behind the active one.
local function stays(job, old, extra, start)
  if job.follows then
    return true
  end
  local queued = job.queued or not call('ZSCORE', rare_keys.delayed, job.id) and call('SISMEMBER', rare_keys.blocked, job.id) == 0
  return queued and start == 0 and old.priority == extra.priority and old.task == extra.task and old.group == extra.group
end

-- Takes a job out of its place, or leaves it there. Returns why the one that replaces it is not queued, or nil.
local function displace(job, old, extra, batch, position)
  local new, why = job.position and not job.queued, nil
  if new then
    why = batch.skip[job.position]
  elseif stays(job, old, extra, batch.starts[position]) then
    job.queued, why = not job.follows, skipped.LATER
  else
    job.queued = false
    endings.unqueue(job.id, old, false)
  end
  if job.position then
    batch.skip[job.position] = skipped.EXISTED
  else
    endings.detach(job.id, old, false)
    batch.replaced = batch.replaced + 1
    batch.replaced_ids[job.id] = true
  end
  return why
end

-- The job at `position` replaces one that waits, under its id.
local function replace(key, job, batch, position, extra)
  local jobs, at = batch.jobs, 2 * position
  local old_text = job.position and jobs[2 * job.position] or call('HGET', keys.jobs, job.id)
  local old = extras.of(old_text)
  local text = with_result_of(old_text, jobs[at], job.id)
  if old.node then
    -- Jobs that wait for it wait for the one in its place.
    text = extras.with_node(text, old.node)
  end
  if extra.debounce then
    job.first_added, batch.starts[position] = debounced(job, old, extra)
    text = job.first_added and extras.with_first_added(text, extras.of(text), job.first_added) or text
  end
  batch.skip[position] = displace(job, old, extra, batch, position)
  jobs[at - 1], jobs[at], job.position = job.id, text, position
  if job.follows then
    unique_keys.waits[job.id] = true
  else
    hold(key, job.id, extra)
  end
  return job.id, true
end

-- The job runs once more after the active one, in the place of another that does.
local function follow(key, holder, batch, position, extra)
  local follower = follower_of(key, holder)
  if follower then
    return replace(key, follower, batch, position, extra)
  end
  local id = batch.jobs[2 * position - 1]
  holder.follower = { id = id, position = position, follows = true }
  following[key] = id
  unique_keys.waits[id] = true
  return nil
end

-- Whether an add replaces the job that has the key. A debounced one does until it has started, also after its time has come.
local function replaces(extra, holder)
  if not waits(holder) then
    return false
  elseif extra.on_conflict == extras.REPLACE or extra.on_conflict == extras.LATEST then
    return true
  elseif not extra.debounce or holder.position then
    return extra.debounce
  end
  local text = call('HGET', keys.jobs, holder.id)
  return extras.of(text).failed == 0 and extras.crashes_of(text) == 0
end

-- Decides what becomes of the job at a position of a batch: {jobs, skip, starts, replaced, replaced_ids}. `jobs`: id, record, ...; `skip`: see positions.lua;
-- `starts`: by position, as in beginnings.lua; `replaced`: how many stored jobs are replaced, and the set of
-- their ids. Returns nil if it is added, or the id of the job that
-- has its key, and whether it replaces that.
function conflicts.decide(batch, position)
  local id, extra = batch.jobs[2 * position - 1], extras.of(batch.jobs[2 * position])
  local key, how = extra.unique, extra.on_conflict
  local holder = holder_of(key)
  if not holder or holder.gone and (how == extras.ATTACH or how == extras.LATEST) then
    holders[key] = { id = id, position = position }
    hold(key, id, extra)
    return nil
  elseif holder.gone then
    return holder.id, false
  elseif how == extras.ATTACH then
    attach(key, id)
    return nil
  elseif replaces(extra, holder) then
    return replace(key, holder, batch, position, extra)
  elseif how == extras.LATEST then
    return follow(key, holder, batch, position, extra)
  end
  return holder.id, false
end

-- Writes who has the keys and who waits for them. The jobs are stored.
function conflicts.write()
  local owners, times, timeless = {}, {}, {}
  for key, one in pairs(held) do
    local id, extra = unpack(one)
    owners[#owners + 1], owners[#owners + 2] = key, id
    if extra.unique_until > 0 then
      times[#times + 1], times[#times + 2] = clock.now + extra.unique_until, unique_keys.entry_of(key)
    else
      timeless[#timeless + 1] = unique_keys.entry_of(key)
    end
  end
  if #owners > 0 then
    call('HSET', rare_keys.unique, unpack(owners))
  end
  if #timeless > 0 then
    call('ZREM', keys.due, unpack(timeless))
  end
  if #times > 0 then
    call('ZADD', keys.due, unpack(times))
  end
  for key, ids in pairs(attached) do
    blocking.block(blocking.UNIQUE, key, ids)
  end
  for key, id in pairs(following) do
    call('ZADD', keys.of(blocking.UNIQUE, key), unique_keys.LAST, id)
    call('SADD', rare_keys.blocked, id)
  end
  ids_of, holders, held, attached, following = {}, {}, {}, {}, {}
end

return conflicts
