-- Pauses or resumes the assignment of jobs.
-- KEYS  the fixed keys
-- ARGV  task, '' for jobs without one, '*' for all; '1' pause or '0' resume; '' at the first call, then the cursor that was answered
-- Returns  cursor, if more waiting jobs may have to be assigned: call again with it; or ''
local pauses = require('pauses')
local reply = require('reply')
local spreading = lazy('spreading')

local task, on, cursor = ARGV[1], ARGV[2] == '1', ARGV[3]
if cursor == '' then
  pauses.set(task, on)
end
return reply(on and '' or spreading().spread(cursor))
