-- Adds a batch of jobs, assigns them to members with credit, and queues the rest.
-- KEYS  the fixed keys
-- ARGV  incarnation, batch number, jobs (msgpack: id, record, ...), positions of callers' own ids and, negated, of other jobs with unique
--       keys (msgpack, or ''),
--       size of the largest record, the part of the batch that is not plain (msgpack {{priority, task, positions, 1 if these have groups}, ...},
--       {position, start, ...}, or ''; see beginnings.lua)
-- Returns  {0, jobs that existed (msgpack) or false, ms until the next due entry if it is of these jobs, or -1} |
--       {1, epoch} if the member is unknown
--       jobs that existed: the position of each with an own id that exists; or, for each whose unique key another job has, the negated position, the
--       id of that job, and 1 if it was replaced, else 0
local lean_add = require('lean_add')
local reply = require('reply')
local adding = lazy('adding')

local plain = ARGV[4] == '' and ARGV[6] == ''
return reply(plain and lean_add() or adding()())
