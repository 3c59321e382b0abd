-- Finds the queue of a job, for the sweep.
local keys = require('keys')
local meta = require('meta')
local queues = require('queues')
local rare_keys = require('rare_keys')
local suspects = require('suspects')
local tombstones = require('tombstones')
local edge_mending = lazy('edge_mending')
local unique_keys = lazy('unique_keys')
local call = redis.call
local places = {
  -- The length up to which `ready:0` is searched, and its tombstones are counted.
  SHORT = 5000,
}
-- How many entries at each end of a longer list are searched.
local NEAR = 3000

local in_ready

-- Discards the copy of `ready:0`.
function places.forget()
  in_ready = nil
end

local function is_in_ready(id, in_hand)
  if call('LLEN', keys.ready) <= places.SHORT then
    if not in_ready then
      in_ready = {}
      for _, one in ipairs(call('LRANGE', keys.ready, 0, -1)) do
        in_ready[one] = (in_ready[one] or 0) + 1
      end
    end
    return (in_ready[id] or 0) > (meta.tombstones > 0 and tombstones.count(call('HGET', keys.tombstones, id)) or 0)
  end
  -- A script that failed had removed it; if it put it back, it is near an end.
  return not in_hand or call('LPOS', keys.ready, id, 'MAXLEN', NEAR) or call('LPOS', keys.ready, id, 'RANK', -1, 'MAXLEN', NEAR)
end

local function waits_for_resource(id, extra)
  for _, name in ipairs({ extra.resource or false, extra.suspect and suspects.RESOURCE or false }) do
    local key = name and keys.of('blocked', name)
    if key and call('ZSCORE', key, id) then
      if call('HEXISTS', rare_keys.resources, name) == 1 then
        return true
      end
      call('ZREM', key, id)
    end
  end
  return false
end

-- Whether the job waits for its unique key. If no job has the key, this one gets it.
local function waits_for_key(id, extra)
  local holder, waiting = call('HGET', rare_keys.unique, extra.unique), keys.of('unique', extra.unique)
  local there = holder and call('HEXISTS', keys.jobs, holder) == 1
  if there and holder ~= id and call('ZSCORE', waiting, id) then
    return true
  end
  call('ZREM', waiting, id)
  if not there then
    unique_keys().hold(extra.unique, id, extra)
  end
  return false
end

local function waits_at_limit(id, extra)
  for _, limit in ipairs(extra.limits or {}) do
    if call('ZSCORE', keys.of('limited', limit.name), id) and call('HEXISTS', rare_keys.limit_turns, limit.name) == 1 then
      return true
    end
  end
  return false
end

local function waits_for_jobs(id, extra)
  local waits, repaired = edge_mending().waits(id, extra)
  if repaired then
    -- Others may have been queued.
    places.forget()
  end
  return waits
end

-- The jobs of a page by the sorted set in which each may wait for a limit or a resource: {key, hash, name, jobs}, where the hash has a field `name`
-- while something will end that wait.
local function by_line(ids, extra_of)
  local lines, by_key = {}, {}
  local function note(key, hash, name, id)
    local line = by_key[key]
    if not line then
      line = { key = key, hash = hash, name = name, ids = {} }
      by_key[key], lines[#lines + 1] = line, line
    end
    line.ids[#line.ids + 1] = id
  end
  for _, id in ipairs(ids) do
    local extra = extra_of[id]
    for _, limit in ipairs(extra.limits or {}) do
      note(keys.of('limited', limit.name), rare_keys.limit_turns, limit.name, id)
    end
    if extra.resource then
      note(keys.of('blocked', extra.resource), rare_keys.resources, extra.resource, id)
    end
  end
  return lines
end

local function add_scored(found, key, ids)
  for i, score in ipairs(call('ZMSCORE', key, unpack(ids))) do
    if score then
      found[ids[i]] = true
    end
  end
end

-- Those of the jobs that are delayed, or blocked at a limit or a resource, as a set. They are looked up together, because there may be very many.
function places.set_aside(ids, extra_of)
  local found, blocked = {}, {}
  add_scored(found, rare_keys.delayed, ids)
  for i, there in ipairs(call('SMISMEMBER', rare_keys.blocked, unpack(ids))) do
    if there == 1 then
      blocked[#blocked + 1] = ids[i]
    end
  end
  for _, line in ipairs(by_line(blocked, extra_of)) do
    if call('HEXISTS', line.hash, line.name) == 1 then
      add_scored(found, line.key, line.ids)
    end
  end
  return found
end

-- Whether a job in `blocked` waits for something that will end.
local function is_blocked(id, extra)
  if call('SISMEMBER', rare_keys.blocked, id) == 0 then
    return false
  end
  if waits_at_limit(id, extra) or waits_for_resource(id, extra) or extra.node and waits_for_jobs(id, extra) then
    return true
  elseif extra.unique and waits_for_key(id, extra) then
    return true
  end
  call('SREM', rare_keys.blocked, id)
  return false
end

-- Whether a job without an owner is in a queue. `in_hand`: a script that failed had removed it from its queue.
function places.is_waiting(id, extra, in_hand)
  if call('ZSCORE', rare_keys.delayed, id) or is_blocked(id, extra) then
    return true
  end
  if queues.contain(id, extra) then
    return true
  end
  return queues.is_plain(extra.priority, extra.task, extra.group) and is_in_ready(id, in_hand)
end

return places
