-- Counts of the cluster.
local keys = require('keys')
local limits = require('limits')
local meta = require('meta')
local rare_keys = require('rare_keys')
local values = require('values')
local call = redis.call
local counts = {}

-- Does not count the entry that join.lua adds so that Redis does not pack the hash.
local function entries(key)
  return math.max(0, call('HLEN', key) - 1)
end

local function total(value)
  return values.bounded(value, 0, limits.COUNTER) or 0
end

-- In the order that commands/stats.lua states.
function counts.all()
  local counters = meta.counters
  local retries, revived, damaged = unpack(call('HMGET', keys.meta, 'retries', 'revived', 'damaged'))
  local deleting = tonumber(counters.deleting) or 0
  local active = entries(keys.owner) - deleting
  local delayed, blocked = call('ZCARD', rare_keys.delayed), call('SCARD', rare_keys.blocked)
  return {
    entries(keys.jobs) - active - delayed - blocked, active, deleting, delayed, blocked, call('HLEN', keys.failed), entries(keys.results),
    call('SCARD', keys.members), total(counters.added), total(counters.completed), total(counters.failures), total(counters.deleted),
    total(counters.crashes), total(retries), total(revived), total(damaged),
    call('HLEN', rare_keys.completed),
  }
end

return counts
