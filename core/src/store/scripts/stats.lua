-- Counts of the cluster.
-- KEYS  the fixed keys
-- Returns  {waiting, held, deleting, failed, results, members, added, completed, failures, deleted, deaths}
local counters = call('HMGET', META, 'added', 'completed', 'failures', 'deleted', 'deaths', 'deleting')
for i = 1, 6 do
  counters[i] = tonumber(counters[i]) or 0
end
local deleting = counters[6]
-- Without the entry of join.lua that keeps a hash a hash.
local function entries(key)
  return math.max(0, call('HLEN', key) - 1)
end
local held = entries(OWNER) - deleting
return { entries(JOBS) - held, held, deleting, call('HLEN', FAILED), entries(RESULTS), call('SCARD', MEMBERS),
  counters[1], counters[2], counters[3], counters[4], counters[5] }
