-- Pauses or resumes the giving of jobs.
-- KEYS  the fixed keys
-- ARGV  task, '' for jobs without one, '*' for all; '1' pause or '0' resume
-- Returns  1 if more waiting jobs may have to be given: call again; else 0
extras().pause(ARGV[1], ARGV[2] == '1')
local more = ARGV[2] == '0' and extras().match_all()
write_meta()
return more and 1 or 0
