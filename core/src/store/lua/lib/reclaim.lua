-- Reclaims the jobs of a member that left or died.
local clock = require('clock')
local endings = require('endings')
local event_kinds = require('event_kinds')
local extras = require('extras')
local failures = require('failures')
local keys = require('keys')
local meta = require('meta')
local owner = require('owner')
local placement = require('placement')
local rare_keys = require('rare_keys')
local record = require('record')
local script = require('script')
local suspects = require('suspects')
local values = require('values')
local events = lazy('events')
local logs = lazy('logs')
local metrics = lazy('metrics')
local call = redis.call
local reclaim = {}

local DEFAULT_MAX_CRASHES, MAX_CRASHES = 3, 255
-- The first crash of a job that ran so long, in microseconds, counts as if the job had not crashed before.
local LONG_RUN = 600000000
-- Crashes are noted in the logs of the jobs of a worker that has no more jobs than these, so that many jobs are requeued quickly.
local NOTED = 100
local CRASHED = 'the worker crashed or lost its lease'

-- The jobs among the ids that belong to the member, in the order of their fences.
local function jobs_of(inc, ids)
  local jobs = {}
  for i, held in ipairs(call('HMGET', keys.owner, unpack(ids))) do
    local fence, holder, deleting = owner.read(held)
    if holder == inc then
      jobs[#jobs + 1] = { id = ids[i], fence = fence, deleting = deleting }
    end
  end
  table.sort(jobs, function(a, b)
    return a.fence < b.fence
  end)
  return jobs
end

-- The suspect among these jobs that has just started, if any.
local function job_on_trial(jobs)
  local id = suspects.on_trial()
  for _, job in ipairs(id and jobs or {}) do
    if job.id == id and not job.deleting and job.record then
      return job
    end
  end
end

-- Counts a crash of a job. Returns whether the job failed by it. It fails when it was alone, on trial, or present at every crash.
local function charge_job(job, batch)
  batch.crashes = batch.crashes + 1
  local number = extras.crashes_of(job.record) + 1
  if clock.micros - job.fence > LONG_RUN then
    number = 1
  end
  number = math.min(number, MAX_CRASHES)
  local most = batch.max_crashes
  if number > most and (batch.alone or batch.on_trial or number > 2 * most + 2) then
    -- It stays a suspect until it has ended, so that its end frees the resource of suspects.
    local text = number .. ' workers died while they ran this job'
    failures.fail(job.id, extras.with_crashes(job.record, number, true), 'poison', text, false, nil, owner.of(job.fence, batch.inc))
    return true
  end
  job.record = extras.with_crashes(job.record, number, number > most)
  batch.charged[#batch.charged + 1] = job
  return false
end

-- Stores the records of jobs with one more crash.
local function store_charged(batch)
  local ids, records, owners, changed = {}, {}, {}, {}
  for i, job in ipairs(batch.charged) do
    ids[i], records[i], owners[i] = job.id, job.record, owner.of(job.fence, batch.inc)
  end
  if batch.noted then
    records = logs().note(ids, records, owners, 'crashed', CRASHED)
  end
  for i, job in ipairs(batch.charged) do
    job.record = records[i]
    changed[#changed + 1], changed[#changed + 2] = job.id, job.record
  end
  if #changed > 0 then
    call('HSET', keys.jobs, unpack(changed))
  end
end

local function requeue_job(job, batch)
  if not job.deleting then
    metrics().count_job(metrics().RELEASED, job.record)
  end
  if clock.recording and not job.deleting then
    events().note_job(event_kinds.RELEASED, job.id, job.record, owner.of(job.fence, batch.inc), batch.charge and 'crashed')
  end
  if record.has_extras(job.record) and not job.deleting then
    endings.left(job.id, extras.of(job.record), batch.front)
  end
  if job.deleting and #endings.not_waiting({ job.id }, { job.record }) == 0 then
    return
  end
  batch.back[#batch.back + 1] = job.id
  batch.back_records[#batch.back_records + 1] = job.record
end

local function write(batch)
  if batch.crashes > 0 then
    meta.count('crashes', batch.crashes)
  end
  if batch.stopped > 0 then
    meta.count('deleting', -batch.stopped)
  end
  placement.enqueue(batch.back, batch.back_records, batch.front)
end

local function reclaim_jobs(jobs, batch, charge)
  local ids = {}
  for i, job in ipairs(jobs) do
    ids[i] = job.id
  end
  call('HDEL', rare_keys.progress, unpack(ids))
  call('HDEL', keys.owner, unpack(ids))
  for i, found in ipairs(call('HMGET', keys.jobs, unpack(ids))) do
    jobs[i].record = found
  end
  batch.on_trial = charge and job_on_trial(jobs)
  for _, job in ipairs(jobs) do
    if job.deleting then
      batch.stopped = batch.stopped + 1
      endings.stopped(job.id)
    end
    -- A job that is being deleted has a record only if a new job was added with its id; that one has not crashed.
    local charged = job.record and charge and not job.deleting and (not batch.on_trial or batch.on_trial == job)
    job.failed = charged and charge_job(job, batch)
  end
  store_charged(batch)
  for _, job in ipairs(jobs) do
    if job.record and not job.failed then
      requeue_job(job, batch)
    end
  end
  write(batch)
end

-- Reclaims up to `budget` jobs of `inc`, which must not have credit any more. Returns whether none is left, and how many it reclaimed. With
-- `charge`, a crash is counted for each job, or only for the suspect among them that has just started; for a job that had run longer than LONG_RUN,
-- it counts as the first one.
function reclaim.take_back(inc, budget, charge)
  local active = keys.of('active', inc)
  local ids = budget > 0 and call('SPOP', active, budget) or {}
  local left = call('SCARD', active)
  if #ids > 0 then
    local max_crashes, requeue = unpack(call('HMGET', keys.of('member', inc), 'max_crashes', 'requeue'))
    script.in_hand[#script.in_hand + 1] = ids
    local jobs = jobs_of(inc, ids)
    if #jobs > 0 then
      placement.wary = placement.wary or charge
      reclaim_jobs(jobs, {
        inc = inc,
        charge = charge,
        front = requeue ~= 'back',
        max_crashes = values.bounded(max_crashes, 0, 200) or DEFAULT_MAX_CRASHES,
        alone = #jobs == 1 and left == 0,
        noted = #ids + left <= NOTED,
        crashes = 0,
        stopped = 0,
        charged = {},
        back = {},
        back_records = {},
      }, charge)
    end
  end
  return left == 0, #ids
end

return reclaim
