-- Counts of the cluster; changes nothing.
-- KEYS  the fixed keys
-- Returns  {waiting, active, deleting, delayed, blocked, failed, results, members, added, completed, failures, deleted, crashes, retries, revived, damaged,
--   completed jobs that are kept}
local counts = require('counts')
local reply = require('reply')

return reply(counts.all())
