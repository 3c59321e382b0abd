-- Counts of the cluster.
-- KEYS  the fixed keys
-- Returns  {waiting, held, deleting, failed, results, members, added, completed, failures, deleted, deaths}
local deleting = tonumber(counters.deleting) or 0
-- Without the entry of join.lua that keeps a hash a hash.
local function entries(key)
  return math.max(0, call('HLEN', key) - 1)
end
local held = entries(OWNER) - deleting
return { entries(JOBS) - held, held, deleting, call('HLEN', FAILED), entries(RESULTS), call('SCARD', MEMBERS),
  tonumber(counters.added) or 0, tonumber(counters.completed) or 0, tonumber(counters.failures) or 0,
  tonumber(counters.deleted) or 0, tonumber(counters.deaths) or 0 }
