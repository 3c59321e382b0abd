-- One round of a member: renews its lease, finishes jobs, assigns new ones, processes due entries.
-- KEYS  the fixed keys
-- ARGV  incarnation, batch number (0 = nothing in it needs one), lease in ms, smallest inbox id to keep ('' = all),
--       credit to add ('' = none, '-' = drop it all), finished jobs (msgpack {ids, owners, details, resources}, or ''; see below), free slots to add
--       in each range of priorities (msgpack, empty if it has none, '' if the member is plain), values to store (msgpack {id, owner, 'p' for
--       progress, 'c' for a checkpoint or 'l' for lines of a log (see logs.lua), value, ...}, or ''),
--       what it accepts from now on (msgpack {tasks (msgpack; its credit is withdrawn with them) or '' as before, slots or '', 1 if it is paused or 0,
--       number of the last order that it has processed}, or ''), number of the last batch that was answered (0 = none), what it measured of the
--       finished jobs (msgpack, see metrics.lua; '' if there are none)
--       details belong to the last of the ids (see round_ends.lua); ids without details are completed without a result, the last of these have the
--       resources, lists of the names of limits first, and no other options
-- Returns  {0, jobs, rejected, ms until the next due entry, returned, taken, credit, ms to spread over, cluster's time in ms}: jobs = false | msgpack {fence of
--       the first, id, record, ...} | list of such; rejected = false | msgpack of positions of jobs that were not assigned to the member any more, 0 -
--       position if deleted; returned = credit withdrawn because jobs wait that this call could not assign; taken = jobs that this batch
--       was assigned; credit = the remaining credit, or -1 if this call did not determine it; then, if needed, schedules whose next slots are wanted
--       (msgpack or ''), and 1 if completed jobs are kept: the worker sends their results | {1} if the member is unknown | {2} an old batch
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
local events = lazy('events')
local limit_lines = lazy('limit_lines')
local metrics = lazy('metrics')
local orders = lazy('orders')
local replay = lazy('round_replay')
local resources = lazy('resources')
local round_ends = lazy('round_ends')
local spreading = lazy('spreading')
local taking = lazy('taking')
local workers = lazy('workers')
local call = redis.call

local DONE, UNKNOWN, OLD = 0, 1, 2
-- For a member with more jobs, the ids that a round assigned are stored: if the reply is lost, searching them among all its jobs would be slow.
local MANY = 5000

local inc, number, lease = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local keep_from, credit_arg, ended_arg, quotas_arg = ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local values_arg, accepts_arg, answered_number, measured_arg = ARGV[8], ARGV[9], tonumber(ARGV[10]) or 0, ARGV[11]
local active = keys.of('active', inc)
-- The member does not accept every job without a task.
local selective = quotas_arg ~= ''
local accepts = accepts_arg ~= '' and cmsgpack.unpack(accepts_arg)
local new_tasks = accepts and accepts[1] ~= ''

-- The last batch: number, fence of the first job, jobs assigned, rejected, credit returned.
local last = meta.last_batch
if type(last) ~= 'table' or type(last[1]) ~= 'number' or type(last[3]) ~= 'number' or type(last[5]) ~= 'number' then
  last = nil
end
-- A batch that arrives late, after its successors, does not renew the lease: its sender may be dead.
if last and number > 0 and number < last[1] then
  return reply({ OLD })
end
-- A result of 0 may also mean an equal score: two rounds in one millisecond.
local lease_entry = due_entries.LEASE .. inc
if call('ZADD', keys.due, 'XX', 'CH', clock.now + lease, lease_entry) == 0 and not call('ZSCORE', keys.due, lease_entry) then
  return reply({ UNKNOWN })
end
-- The member has replies to batches that this server does not know: the server was set back to older data of a disk or replica, and the member's
-- active jobs do not match it. The member registers anew, and its jobs in this data run again.
if answered_number > (last and last[1] or 0) then
  departure().remove(inc, false)
  return reply({ UNKNOWN })
end
if keep_from ~= '' then
  call('XTRIM', keys.of('inbox', inc), 'MINID', keep_from)
end
if values_arg ~= '' then
  round_ends().store(cmsgpack.unpack(values_arg))
end
if selective and not new_tasks and workers().read(inc).damaged then
  -- The member registers anew, which replaces its record.
  meta.count('damaged', 1)
  call('ZADD', keys.due, clock.now, lease_entry)
  return reply({ UNKNOWN })
end

-- Builds the reply, after processing due entries.
local function answer(jobs, rejected, returned, taken, credit)
  -- The reply if anything fails from here on: the round itself was done.
  script.answer = { DONE, jobs, rejected, 0, returned, taken, credit, 100, clock.now }
  -- Before due entries are read: it may add some.
  script.write('limits')
  script.answer[4], script.answer[8] = tick(lease)
  script.answer[10] = script.slots and cmsgpack.pack(script.slots)
  if meta.keeps_completed then
    script.answer[10], script.answer[11] = script.answer[10] or '', 1
  end
  return script.answer
end

-- Jobs may wait although this member has credit, because its lease had not been renewed for long.
local function assign_waiting()
  if meta.special or call('EXISTS', keys.ready) == 1 then
    spreading().assign_to(inc)
  end
end

if number == 0 then
  assign_waiting()
  return reply(answer(false, false, 0, 0, -1))
end
if new_tasks then
  workers().set_tasks(inc, accepts[1])
end
if accepts then
  orders().confirm(inc, unpack(accepts, 2))
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
  -- After the credit is read, because these jobs come after the jobs of this reply.
  assign_waiting()
  return reply(answer(again, last[4], last[5], last[3], score and ranking.credit(tonumber(score)) or 0))
end

-- Jobs completed without a result that are all still assigned to the member. They are removed only after new ones were added, so that the hashes do
-- not shrink and grow with each round.
local completed_plainly
local rejected = {}
if ended_arg ~= '' then
  local ids, wanted, details, names = unpack(cmsgpack.unpack(ended_arg))
  local owners = call('HMGET', keys.owner, unpack(ids))
  local plainly = #details == 0 and not meta.keeps_completed
  for i = 1, #ids do
    plainly = plainly and owners[i] == wanted[i]
  end
  if not plainly then
    rejected = round_ends().finish(inc, ids, wanted, details, names, owners)
  else
    completed_plainly = ids
    meta.count('completed', #ids)
    if clock.recording then
      events().completed(ids, owners)
    end
    if #names > 0 then
      names = type(names[1]) == 'table' and limit_lines().free_all(ids, names) or names
      resources().free_all(names)
    end
  end
  if measured_arg ~= '' then
    metrics().measured(cmsgpack.unpack(measured_arg), rejected)
  end
end

-- Jobs that can run now because others finished precede waiting jobs.
local ids, records = {}, {}
if script.flush.resources then
  local leaving = completed_plainly and #completed_plainly or 0
  ids, records = resources().pass_on(not (selective or meta.special) and inc, tonumber(credit_arg) or 0, leaving)
end
script.write('limits')
-- Waiting jobs for the free slots, and credit for the remaining ones. Read only now, because freed resources may have passed to this member's jobs.
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

-- Assigns jobs to the member in this reply.
local function assign()
  taken = #ids
  fence = fences.next(taken)
  assignment.own(inc, ids, records, 1, taken, fence)
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
