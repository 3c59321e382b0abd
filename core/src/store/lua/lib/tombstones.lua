-- Dead entries of `ready:0`: searching a long list for them would cost more than skipping them later.
local keys = require('keys')
local meta = require('meta')
local values = require('values')
local queues = lazy('queues')
local call = redis.call
local tombstones = {}

-- The limit of tombstones; a list with more is thinned out when they are half of it.
local MANY = 1000

function tombstones.count(value)
  return values.bounded(value or nil, 0, 1e9) or 0
end

local function set(number)
  meta.tombstones = number
  meta.remember('tombstones', number)
end

tombstones.set = set

-- Marks an entry as dead.
function tombstones.bury(id)
  call('HSET', keys.tombstones, id, tombstones.count(call('HGET', keys.tombstones, id)) + 1)
  set(meta.tombstones + 1)
  local length = call('LLEN', keys.ready)
  if meta.tombstones >= length then
    call('UNLINK', keys.ready, keys.tombstones)
    set(0)
  elseif meta.tombstones > MANY and 2 * meta.tombstones > length then
    queues().thin_out()
  end
end

-- Resets the counts when `ready:0` is empty.
function tombstones.forget()
  if meta.tombstones > 0 then
    call('UNLINK', keys.tombstones)
    set(0)
  end
end

-- Removes dead entries from ids popped from `ready:0`, and their records. Each dead entry uses up a tombstone.
function tombstones.living(ids, records)
  local there, there_records, n = {}, {}, 0
  local dead, left, changed = meta.tombstones > 0 and call('HMGET', keys.tombstones, unpack(ids)) or {}, {}, false
  for i, id in ipairs(ids) do
    local number = left[id] or tombstones.count(dead[i])
    if number > 0 then
      left[id], changed = number - 1, true
      meta.tombstones = math.max(0, meta.tombstones - 1)
    elseif records[i] then
      n = n + 1
      there[n], there_records[n] = id, records[i]
    end
  end
  if not changed then
    return there, there_records
  end
  for id, number in pairs(left) do
    if number > 0 then
      call('HSET', keys.tombstones, id, number)
    else
      call('HDEL', keys.tombstones, id)
    end
  end
  set(meta.tombstones)
  return there, there_records
end

-- Which entries of a part of `ready:0` are alive, without removing them. If an id occurs more than once, its first entries are dead.
function tombstones.are_alive(ids)
  local dead = meta.tombstones > 0 and #ids > 0 and call('HMGET', keys.tombstones, unpack(ids)) or {}
  local seen, alive = {}, {}
  for i, id in ipairs(ids) do
    seen[id] = (seen[id] or 0) + 1
    alive[i] = seen[id] > tombstones.count(dead[i])
  end
  return alive
end

return tombstones
