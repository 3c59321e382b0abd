-- Counts of the cluster.
-- KEYS  the fixed keys
-- Returns  {waiting, held, deleting, delayed, parked, failed, results, members, added, completed, failures, deleted, deaths, retries, revived}
local deleting = tonumber(counters.deleting) or 0
-- Without the entry of join.lua that keeps a hash a hash.
local function entries(key)
  return math.max(0, call('HLEN', key) - 1)
end
local held = entries(OWNER) - deleting
local more = call('HMGET', META, 'retries', 'revived')
local function total(value)
  return tonumber(value) or 0
end
local delayed, parked = call('ZCARD', extras().keys.delayed), call('SCARD', extras().keys.parked)
return { entries(JOBS) - held - delayed - parked, held, deleting, delayed, parked, call('HLEN', FAILED), entries(RESULTS),
  call('SCARD', MEMBERS), total(counters.added), total(counters.completed), total(counters.failures), total(counters.deleted),
  total(counters.deaths), total(more[1]), total(more[2]) }
