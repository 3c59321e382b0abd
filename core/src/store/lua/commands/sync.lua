-- One round of a member: renews its lease, ends jobs, takes new ones, does what is due.
-- KEYS  the fixed keys
-- ARGV  incarnation, batch number (0 = carries nothing that needs one), lease in ms, smallest inbox id to keep ('' = all),
--       credit to add ('' = none, '-' = drop it all), ended jobs (msgpack {ids, owners, details, resources}, or ''; see below), free slots to add in
--       each range of priorities (msgpack, empty if it has none, '' if the member is plain), progress (msgpack {id, owner, value, ...}, or ''),
--       tasks it takes from now on (msgpack, or ''; its credit is dropped with them), number of the last batch that was answered (0 = none)
--       details belong to the last of the ids (see round_ends.lua); ids without details are completed without a result, the last of these have the
--       resources and nothing else to see to
-- Returns  {0, jobs, rejected, ms until the next due thing, returned, taken, credit, ms to spread over}: jobs = false | msgpack {fence of the
--       first, id, record, ...} | list of such; rejected = false | msgpack of positions of jobs that were not the member's any more, 0 -
--       position if deleted; returned = credit taken back because jobs wait that this call could not move; taken = jobs that this batch
--       was assigned; credit = what is left of it, or -1 if this call did not look | {1} if the member is unknown | {2} an old batch
local assignment = require('assignment')
local clock = require('clock')
local due_entries = require('due_entries')
local fences = require('fences')
local keys = require('keys')
local meta = require('meta')
local ranking = require('ranking')
local reply = require('reply')
local script = require('script')
local take_plain = require('round_take')
local tick = require('tick')
local departure = lazy('departure')
local replay = lazy('round_replay')
local resources = lazy('resources')
local round_ends = lazy('round_ends')
local spreading = lazy('spreading')
local taking = lazy('taking')
local workers = lazy('workers')
local call = redis.call

local DONE, UNKNOWN, OLD = 0, 1, 2
-- The ids that a round was assigned are noted if the member has more jobs: should the reply be lost, they are not to be looked for among all.
local MANY = 5000

local inc, number, lease = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local keep_from, credit_arg, ended_arg, quotas_arg = ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local progress_arg, tasks_arg, answered_number = ARGV[8], ARGV[9], tonumber(ARGV[10]) or 0
local active = keys.of('active', inc)
-- The member does not take just any job without a task.
local selective = quotas_arg ~= ''

-- The last batch: number, fence of the first job, jobs taken, rejected, credit returned.
local last = meta.last_batch
if type(last) ~= 'table' or type(last[1]) ~= 'number' or type(last[3]) ~= 'number' or type(last[5]) ~= 'number' then
  last = nil
end
-- A batch that comes late, after its successors, renews no lease either: who sent it may be dead.
if last and number > 0 and number < last[1] then
  return reply({ OLD })
end
-- Unchanged is not unknown: two rounds in one millisecond set the same score.
local lease_entry = due_entries.LEASE .. inc
if call('ZADD', keys.due, 'XX', 'CH', clock.now + lease, lease_entry) == 0 and not call('ZSCORE', keys.due, lease_entry) then
  return reply({ UNKNOWN })
end
-- Batches that were answered are unknown here: this server was set back, to an older disk or replica, and the member's view of its jobs is of
-- another past. It begins anew, and what it has here runs again.
if answered_number > (last and last[1] or 0) then
  departure().remove(inc, false)
  return reply({ UNKNOWN })
end
if keep_from ~= '' then
  call('XTRIM', keys.of('inbox', inc), 'MINID', keep_from)
end
if progress_arg ~= '' then
  round_ends().progress(cmsgpack.unpack(progress_arg))
end
if selective and tasks_arg == '' and workers().read(inc).damaged then
  -- It registers anew, and is written anew.
  meta.count('damaged', 1)
  call('ZADD', keys.due, clock.now, lease_entry)
  return reply({ UNKNOWN })
end

-- Every answer ends with what is due.
local function answer(jobs, rejected, returned, taken, credit)
  -- Whatever fails from here on, this was done.
  script.answer = { DONE, jobs, rejected, 0, returned, taken, credit, 100 }
  script.answer[4], script.answer[8] = tick(lease)
  return script.answer
end

-- Jobs may wait beside this member because its lease had not been renewed for long.
local function assign_waiting()
  if meta.special or call('EXISTS', keys.ready) == 1 then
    spreading().assign_to(inc)
  end
end

if number == 0 then
  assign_waiting()
  return reply(answer(false, false, 0, 0, -1))
end
if tasks_arg ~= '' then
  workers().set_tasks(inc, tasks_arg)
end

local function score_of(worker)
  if worker then
    return workers().score(inc, worker)
  end
  return call('ZSCORE', keys.load, inc)
end

if last and number == last[1] then
  local again = replay()(inc, number, tonumber(last[2]) or 0, last[3])
  local score = score_of(selective and workers().read(inc))
  -- After the credit was read, because these come after the jobs of this answer.
  assign_waiting()
  return reply(answer(again, last[4], last[5], last[3], score and ranking.credit(tonumber(score)) or 0))
end

-- Jobs completed without a result, all still the member's: removed only when new ones have come, so that the hashes do not shrink and grow with
-- each round.
local completed_plainly
local rejected = {}
if ended_arg ~= '' then
  local ids, wanted, details, names = unpack(cmsgpack.unpack(ended_arg))
  local owners = call('HMGET', keys.owner, unpack(ids))
  local plainly = #details == 0
  for i = 1, #ids do
    plainly = plainly and owners[i] == wanted[i]
  end
  if not plainly then
    rejected = round_ends().finish(inc, ids, wanted, details, names, owners)
  else
    completed_plainly = ids
    meta.count('completed', #ids)
    if #names > 0 then
      resources().free_all(names)
    end
  end
end

-- Jobs whose turn it is now, because others ended, come before those that wait.
local ids, records = {}, {}
if script.flush.resources then
  local leaving = completed_plainly and #completed_plainly or 0
  ids, records = resources().pass_on(not (selective or meta.special) and inc, tonumber(credit_arg) or 0, leaving)
end
-- Waiting jobs for the slots that are free, and credit for those that stay so. Read only now: what ended may have gone to this member.
local worker = selective and workers().read(inc)
local score = score_of(worker)
local before = score and ranking.credit(tonumber(score)) or 0
local withdrawn = credit_arg == '-'
local credit = withdrawn and 0 or before + (tonumber(credit_arg) or 0)
if worker and worker.ranges then
  if withdrawn then
    workers().revoke(worker)
  else
    workers().grant(worker, cmsgpack.unpack(quotas_arg))
  end
end

local jobs, fence, taken, returned = false, 0, 0, 0

-- Assigns jobs to the member, in this answer.
local function assign()
  taken = #ids
  fence = fences.next(taken)
  assignment.own(inc, ids, 1, taken, fence)
  jobs = assignment.pack(ids, records, 1, taken, fence)
  credit = credit - taken
  if call('SCARD', active) > MANY then
    call('SET', keys.of('assigned', inc), cmsgpack.pack({ number, ids }))
  end
end

if credit > 0 then
  local empty
  if worker or meta.special then
    local some, found, left = taking().take(worker or workers().plain(), credit - #ids)
    for i, id in ipairs(some) do
      ids[#ids + 1], records[#records + 1] = id, found[i]
    end
    empty = not left
  else
    ids, records, empty = take_plain(ids, records, credit)
  end
  if #ids > 0 then
    assign()
  end
  if credit > 0 and not empty and (worker or meta.special or call('EXISTS', keys.ready) == 1) then
    returned, credit = credit, 0
  end
end
if completed_plainly then
  call('HDEL', keys.owner, unpack(completed_plainly))
  call('SREM', active, unpack(completed_plainly))
  call('HDEL', keys.jobs, unpack(completed_plainly))
end
if worker then
  workers().set_load(inc, worker, call('SCARD', active), credit)
elseif credit > 0 then
  call('ZADD', keys.load, ranking.score(call('SCARD', active), credit), inc)
elseif before > 0 then
  call('ZREM', keys.load, inc)
end

rejected = #rejected > 0 and cmsgpack.pack(rejected)
meta.remember(BATCH .. inc, cmsgpack.pack({ number, fence, taken, rejected, returned }))
return reply(answer(jobs, rejected, returned, taken, credit))
