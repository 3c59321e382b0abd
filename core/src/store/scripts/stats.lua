-- Counts of the cluster.
-- KEYS  the fixed keys
-- Returns  {waiting, active, deleting, delayed, blocked, failed, results, members, added, completed, failures, deleted, crashes, retries, revived, damaged}
local deleting = tonumber(counters.deleting) or 0
-- Without the entry of join.lua that keeps a hash a hash.
local function entries(key)
  return math.max(0, call('HLEN', key) - 1)
end
local active = entries(OWNER) - deleting
local more = call('HMGET', META, 'retries', 'revived', 'damaged')
local function total(value)
  return bounded(value, 0, 9e15) or 0
end
local delayed, blocked = call('ZCARD', extras().keys.delayed), call('SCARD', extras().keys.blocked)
return { entries(JOBS) - active - delayed - blocked, active, deleting, delayed, blocked, call('HLEN', FAILED), entries(RESULTS),
  call('SCARD', MEMBERS), total(counters.added), total(counters.completed), total(counters.failures), total(counters.deleted),
  total(counters.crashes), total(more[1]), total(more[2]), total(more[3]) }
