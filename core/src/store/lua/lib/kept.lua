-- Ended jobs that are kept: limited in number and bytes, the oldest are removed first, and those whose age is over. failures.lua and history.lua each
-- have such a set: {name, entries = key of the hash, times = key of the ids by when they ended, due = kind of its entry in `due`, and perhaps
-- ages = key of the ids by when they are removed}. Settings and the number of bytes are in `meta`, under the name of the set.
local clock = require('clock')
local keys = require('keys')
local limits = require('limits')
local meta = require('meta')
local values = require('values')
local call = redis.call
local bounded = values.bounded
local kept = {}

-- Default limits; members of the cluster may set others.
local MAX, MAX_BYTES = 10000, 268435456
-- The limit of jobs that one call removes, besides as many as it keeps.
local REMOVED_AT_ONCE = 20
local PAGE = 200

local number_here = 0

-- The limits of a set.
function kept.settings_of(set)
  if not set.settings then
    local most, ttl, bytes = unpack(call('HMGET', keys.meta, set.name .. '_max', set.name .. '_ttl', set.name .. '_max_bytes'))
    set.settings = {
      max = bounded(most, 1, 1e9) or MAX,
      ttl = bounded(ttl, 1, 10 * limits.YEAR),
      max_bytes = bounded(bytes, 1, 1e15) or MAX_BYTES,
    }
  end
  return set.settings
end

function kept.remove(set, ids)
  if #ids == 0 then
    return
  end
  local bytes = 0
  for _, id in ipairs(ids) do
    bytes = bytes + call('HSTRLEN', set.entries, id)
  end
  call('HDEL', set.entries, unpack(ids))
  call('ZREM', set.times, unpack(ids))
  if set.ages then
    call('ZREM', set.ages, unpack(ids))
  end
  meta.count(set.name .. '_bytes', -bytes)
end

-- The oldest jobs in excess of the limits; not the one that was kept last.
local function excess_of(set, newest, number)
  local settings, found = kept.settings_of(set), {}
  local excess, bytes = call('ZCARD', set.times) - settings.max, meta.counters[set.name .. '_bytes'] - settings.max_bytes
  if excess <= 0 and bytes <= 0 then
    return found
  end
  for _, id in ipairs(call('ZRANGE', set.times, 0, REMOVED_AT_ONCE + number)) do
    if excess <= 0 and bytes <= 0 or #found == REMOVED_AT_ONCE + number then
      break
    elseif id ~= newest then
      found[#found + 1] = id
      excess, bytes = excess - 1, bytes - call('HSTRLEN', set.entries, id)
    end
  end
  return found
end

-- Writes how long jobs are kept.
local function set_ages(set, ids, ages)
  local removals, ageless, first = {}, {}, nil
  for i, id in ipairs(ids) do
    if ages[i] then
      removals[#removals + 1], removals[#removals + 2] = clock.now + ages[i], id
      first = math.min(first or ages[i], ages[i])
    else
      ageless[#ageless + 1] = id
    end
  end
  if first then
    call('ZADD', keys.due, 'LT', clock.now + first, set.due)
  end
  if set.ages and first then
    call('ZADD', set.ages, unpack(removals))
  end
  if set.ages and #ageless > 0 then
    call('ZREM', set.ages, unpack(ageless))
  end
end

-- Keeps ended jobs, 1000 at most; `ages` has how long in ms, or false. Returns the ids that exceed the limits, which the caller removes.
function kept.add(set, ids, entries, ages)
  local fields, times, bytes = {}, {}, 0
  for i, before in ipairs(call('ZMSCORE', set.times, unpack(ids))) do
    local id = ids[i]
    bytes = bytes + #entries[i] - (before and call('HSTRLEN', set.entries, id) or 0)
    fields[2 * i - 1], fields[2 * i] = id, entries[i]
    -- In the order in which they ended, even if many end in one millisecond.
    number_here = number_here + 1
    times[2 * i - 1], times[2 * i] = clock.now + clock.micros % 1000 / 1000 + number_here / 1000, id
  end
  meta.count(set.name .. '_bytes', bytes)
  call('HSET', set.entries, unpack(fields))
  call('ZADD', set.times, unpack(times))
  set_ages(set, ids, ages)
  return excess_of(set, ids[#ids], #ids)
end

-- Ids of a page of jobs whose age is over, which the caller removes before it calls `wait`.
function kept.expired(set)
  if set.ages then
    return call('ZRANGEBYSCORE', set.ages, '-inf', clock.now, 'LIMIT', 0, PAGE)
  end
  local ttl = kept.settings_of(set).ttl
  return ttl and call('ZRANGEBYSCORE', set.times, '-inf', clock.now - ttl, 'LIMIT', 0, PAGE) or {}
end

-- Sets the entry of `due` to the time at which the next age is over.
function kept.wait(set)
  local ttl = set.ages and 0 or kept.settings_of(set).ttl
  local first = ttl and call('ZRANGE', set.ages or set.times, 0, 0, 'WITHSCORES') or {}
  if first[2] then
    call('ZADD', keys.due, first[2] + ttl, set.due)
  else
    call('ZREM', keys.due, set.due)
  end
end

return kept
