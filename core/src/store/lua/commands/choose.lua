-- A master chooses workers for waiting jobs.
-- KEYS  the fixed keys
-- ARGV  'start', incarnation, choosing (msgpack {incarnation, time limit in ms, {task, ...}}) | 'stop', incarnation |
--       'look', incarnation, limit of jobs | 'assign', incarnation, pairs (msgpack {job, incarnation of the worker, ...})
-- Returns  start, stop: 1 | look: msgpack {{id, record, ...}, {{score, incarnation, active, credit, tasks, ranges, quotas, name, group, host, pid}, ...}},
--       the least loaded first; tasks, ranges and quotas msgpack or ''; or '' if no job waits for a choice, or another member chooses |
--       assign: a list of 1 (assigned) or 0, in the order of the pairs
local choice = require('choice')
local chooser = require('chooser')
local due_entries = require('due_entries')
local keys = require('keys')
local reply = require('reply')

local what, inc = ARGV[1], ARGV[2]
local chooses = chooser.incarnation() == inc

if what == 'start' then
  if redis.call('ZSCORE', keys.due, due_entries.LEASE .. inc) then
    chooser.set(ARGV[3])
  end
  return reply(1)
elseif what == 'stop' then
  chooser.gone(inc)
  return reply(1)
elseif what == 'look' then
  if not chooses then
    return reply('')
  end
  local jobs = choice.waiting_jobs(tonumber(ARGV[3]))
  local candidates = choice.candidates(jobs)
  local there = #jobs > 0 and #candidates > 0
  chooser.looked(there)
  return reply(there and cmsgpack.pack({ jobs, candidates }) or '')
end

local answers = {}
local pairs_in = cmsgpack.unpack(ARGV[3])
for i = 1, #pairs_in, 2 do
  answers[(i + 1) / 2] = chooses and choice.assign(pairs_in[i], pairs_in[i + 1]) and 1 or 0
end
if chooses then
  chooser.answered()
end
return reply(answers)
