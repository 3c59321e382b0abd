-- A master chooses workers for waiting jobs.
-- KEYS  the fixed keys
-- ARGV  'start', incarnation, choosing (msgpack {incarnation, ms it may take, {task, ...}}) | 'stop', incarnation | 'look', incarnation, most jobs |
--       'assign', incarnation, pairs (msgpack {job, incarnation of the worker, ...})
-- Returns  start, stop: 1 | look: msgpack {{id, record, ...}, {{score, incarnation, active, credit, tasks, ranges, rooms, name, group, host, pid}, ...}},
--       the least loaded first, tasks, ranges and rooms msgpack again or ''; or '' if there is nothing to choose, or another chooses | assign: a list of 1 (given) or 0, in the
--       order of the pairs
local X = extras()
local what, inc = ARGV[1], ARGV[2]
local answer = 1
if what == 'start' then
  if call('ZSCORE', DUE, 'L:' .. inc) then
    X.set_chooser(cmsgpack.unpack(ARGV[3]))
  end
elseif what == 'stop' then
  X.chooser_gone(inc)
elseif what == 'look' then
  answer = ''
  if X.is_chooser(inc) then
    local jobs = X.to_choose(tonumber(ARGV[3]))
    local workers = X.with_room(jobs)
    local there = #jobs > 0 and #workers > 0
    X.looked(there)
    answer = there and cmsgpack.pack({ jobs, workers }) or ''
  end
else
  answer = {}
  local pairs_in = cmsgpack.unpack(ARGV[3])
  for i = 1, #pairs_in, 2 do
    answer[(i + 1) / 2] = X.is_chooser(inc) and X.give_to(pairs_in[i], pairs_in[i + 1]) and 1 or 0
  end
  if X.is_chooser(inc) then
    X.answered()
  end
end
send_told()
write_meta()
return answer
