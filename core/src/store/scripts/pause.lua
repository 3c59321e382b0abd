-- Pauses or resumes the giving of jobs.
-- KEYS  the fixed keys
-- ARGV  task, '' for jobs without one, '*' for all; '1' pause or '0' resume; '' at the first call, then the cursor that was answered
-- Returns  cursor, if more waiting jobs may have to be given: call again with it; or ''
local X = extras()
if ARGV[3] == '' then
  X.pause(ARGV[1], ARGV[2] == '1')
end
local cursor = ARGV[2] == '0' and X.match_members(ARGV[3]) or ''
write_meta()
return cursor
