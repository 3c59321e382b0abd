-- Firing of schedules: slots that have passed add their jobs.
local beginnings = require('beginnings')
local clock = require('clock')
local damage = require('damage')
local deletion = require('deletion')
local due_entries = require('due_entries')
local event_kinds = require('event_kinds')
local extras = require('extras')
local keys = require('keys')
local meta = require('meta')
local rare_keys = require('rare_keys')
local records = require('record')
local schedules = require('schedules')
local script = require('script')
local conflicts = lazy('conflicts')
local events = lazy('events')
local call = redis.call
local firing = {}

-- Jobs of schedules added in one call.
local MOST = 10
-- Slots that `all` catches up with, at most: the newest.
local MOST_MISSED = 100
-- With fewer slots ahead, more are computed.
local FEW = 4
-- A slot that is so late, in ms, counts as missed.
local MISSED = 60000

local added = 0

local function is_there(job)
  return job ~= '' and (call('HEXISTS', keys.jobs, job) == 1 or call('HEXISTS', keys.owner, job) == 1)
end

-- Whether a job with this record may be added beside the one before.
local function may_overlap(schedule, record)
  local how, last = schedule[schedules.OVERLAP], schedule[schedules.LAST_ID]
  if how == 'allow' or not is_there(last) then
    return true
  elseif how == 'replace' then
    deletion.delete({ last })
    return true
  end
  -- One that waits for its time waits, too.
  return how == 'queue_one' and call('ZCARD', keys.of('blocked', extras.resource_of(record))) == 0 and not call('ZSCORE', rare_keys.delayed, last)
end

-- Adds the job of a slot, or of a time, `delay` ms later; its id, or nil if it is skipped.
local function add(id, schedule, slot, delay)
  local record = call('HGET', rare_keys.schedule_jobs, id)
  -- Without a record it is damaged, and the sweep removes it.
  if not record or not may_overlap(schedule, record) then
    return nil
  end
  record = records.with_time(record, clock.now + delay)
  local priority, task, careful, grouped = unpack(schedule[schedules.ROUTE])
  local job = string.format('%s@%.0f', id, slot)
  if call('HEXISTS', keys.jobs, job) == 0 then
    local batch = { jobs = { job, record }, skip = {}, starts = { delay }, replaced = 0, replaced_ids = {} }
    local keyed, other = careful == 1 and extras.of(record).unique, nil
    if keyed then
      local replaces
      other, replaces = conflicts().decide(batch, 1)
      if other and not replaces then
        return nil
      end
    end
    call('HSET', keys.jobs, unpack(batch.jobs))
    meta.count('added', 1 - batch.replaced)
    meta.note_size(#record)
    if clock.recording then
      events().note(event_kinds.SCHEDULE_FIRED, batch.jobs[1], task, '', '', '', 0, id)
      events().added(batch.jobs, batch.replaced_ids)
    end
    if keyed then
      conflicts().write()
    end
    beginnings.add(batch.jobs, { { priority, task, { 1 }, grouped } }, (careful == 1 or delay > 0) and { 1, delay } or {}, batch.skip, nil)
    job = other or job
  end
  added = added + 1
  schedule[schedules.LAST_ID] = job
  return job
end

-- Returns whether a job was added.
local function add_of_slot(id, schedule, slot, delay)
  local job = add(id, schedule, slot, delay)
  local counter = job and schedules.FIRED or schedules.SKIPPED
  schedule[counter] = schedule[counter] + 1
  return job ~= nil
end

-- Adds its job now, beside its slots; '' if it is skipped. Two in a millisecond are two.
function firing.add_now(id, nonce, schedule)
  if schedules.is_repeated(schedule, nonce) then
    return schedule[schedules.ANSWER]
  end
  local time = clock.wall
  while call('HEXISTS', keys.jobs, string.format('%s@%.0f', id, time)) == 1 do
    time = time + 1
  end
  local job = add(id, schedule, time, 0) or ''
  schedule[schedules.NONCE], schedule[schedules.ANSWER] = nonce, job
  schedules.write(id, schedule)
  return job
end

-- How many slots have passed.
local function passed_slots(schedule)
  local slots, passed = schedule[schedules.SLOTS], 0
  while slots[2 * passed + 1] and slots[2 * passed + 1] <= clock.wall do
    passed = passed + 1
  end
  return passed
end

-- Of the slots that have passed, the first that is to run; after the last, none is.
local function first_to_run(schedule, passed)
  local how = schedule[schedules.CATCH_UP]
  if how == 'all' then
    return math.max(1, passed - MOST_MISSED + 1)
  elseif how == 'none' and clock.wall - schedule[schedules.SLOTS][2 * passed - 1] > MISSED then
    return passed + 1
  end
  return passed
end

local function drop_slots(schedule, number)
  local slots, left = schedule[schedules.SLOTS], {}
  for i = 2 * number + 1, #slots do
    left[#left + 1] = slots[i]
  end
  schedule[schedules.SLOTS] = left
end

-- The caller computes more slots: timing, anchor, the last known slot and the time.
local function want_slots(id, schedule)
  local wanted = script.slots or {}
  script.slots = wanted
  wanted[#wanted + 1] = { id, schedule[schedules.TIMING], schedule[schedules.ANCHOR], schedule[schedules.KNOWN], schedule[schedules.CATCH_UP], clock.wall }
end

-- Adds the jobs of slots that have passed, from `first` to `last`. Returns how many slots are done.
local function add_jobs(id, schedule, first, last)
  local slots = schedule[schedules.SLOTS]
  for number = first, last do
    if added >= MOST or schedules.is_over(schedule) then
      return number - 1
    end
    local slot, delay = slots[2 * number - 1], slots[2 * number]
    -- What ran does not run again after the server's clock was set back.
    if slot > schedule[schedules.LAST] then
      schedule[schedules.LAST] = slot
      add_of_slot(id, schedule, slot, delay)
    end
  end
  return last
end

local function fire(id)
  local schedule = schedules.read(id)
  if not schedule then
    call('ZREM', rare_keys.schedule_times, id)
    return
  end
  local passed, known = passed_slots(schedule), #schedule[schedules.SLOTS] / 2
  local extends = schedule[schedules.ENDED] == 0
  -- If all known slots have passed, others may have, too: which are to run follows when these are known.
  local waits = extends and passed > 0 and passed == known
  if passed > 0 and not waits then
    drop_slots(schedule, add_jobs(id, schedule, first_to_run(schedule, passed), passed))
  end
  if schedules.is_over(schedule) then
    schedule[schedules.SLOTS], schedule[schedules.ENDED] = {}, 1
  elseif extends and known - passed < FEW then
    want_slots(id, schedule)
  end
  schedules.write(id, schedule)
  if waits then
    call('ZADD', rare_keys.schedule_times, clock.wall + schedules.ASK_AGAIN, id)
  else
    schedules.arm(id, schedule, schedules.ASK_AGAIN)
  end
end

-- Adds the job that follows the end of one.
local function fire_after_end(id)
  local schedule = schedules.read(id)
  if not schedule or schedule[schedules.AFTER_END] == 0 then
    call('ZREM', keys.due, due_entries.SCHEDULE .. id)
    return
  end
  -- The server's clock may have been set back.
  local slot = math.min(schedule[schedules.SLOTS][1] or clock.wall, clock.wall)
  schedule[schedules.SLOTS], schedule[schedules.LAST] = {}, slot
  if not schedules.is_over(schedule) and not add_of_slot(id, schedule, slot, 0) and not is_there(schedule[schedules.LAST_ID]) then
    -- Another job has the unique key of its job.
    schedule[schedules.SLOTS] = { clock.wall + schedule[schedules.AFTER_END], 0 }
  end
  schedule[schedules.ENDED] = schedules.is_over(schedule) and 1 or 0
  schedules.write(id, schedule)
  schedules.arm(id, schedule)
end

local function fire_slots()
  local ids = call('ZRANGEBYSCORE', rare_keys.schedule_times, '-inf', clock.wall, 'LIMIT', 0, MOST)
  for _, id in ipairs(ids) do
    if added >= MOST then
      break
    end
    fire(id)
  end
  schedules.arm_first()
end

-- Fires a schedule whose next job follows the end of one, or, for '', the schedules whose slots have come. Others may be left for the next call.
function firing.expire(id)
  if id == '' then
    fire_slots()
  elseif added < MOST then
    fire_after_end(id)
  end
end

-- The next job of a schedule with `after_end` follows now, or after its pause.
local function follow(id, schedule, pause)
  schedule[schedules.SLOTS] = { clock.wall + pause, 0 }
  schedules.write(id, schedule)
  schedules.arm_and_wake(id, schedule)
end

-- Gives a schedule that should have a time one. Returns whether it had none.
function firing.revive(id, schedule)
  local rests = schedule[schedules.PAUSED] == 1 or schedule[schedules.ENDED] == 1 or schedules.is_over(schedule)
  if rests or schedules.is_armed(id, schedule) then
    return false
  elseif schedule[schedules.AFTER_END] == 0 or schedule[schedules.SLOTS][1] then
    schedules.arm_and_wake(id, schedule)
  elseif is_there(schedule[schedules.LAST_ID]) then
    return false
  else
    follow(id, schedule, schedule[schedules.AFTER_END])
  end
  return true
end

-- Repairs schedules: those that cannot be read are removed, those without a time get one.
function firing.mend(ids)
  for _, id in ipairs(ids) do
    local schedule = call('HEXISTS', rare_keys.schedule_jobs, id) == 1 and schedules.read(id)
    if not schedule then
      damage.note('schedule ' .. id, 'its record or that of its job cannot be read, and it was removed')
      schedules.remove(id)
    elseif call('ZADD', rare_keys.schedule_ids, 0, id) == 1 then
      damage.found()
    end
    if schedule and firing.revive(id, schedule) then
      damage.found()
    end
  end
end

-- Its job has ended: with `after_end`, the next follows.
function firing.ended(id, job)
  local schedule = schedules.read(id)
  if schedule and schedule[schedules.AFTER_END] > 0 and schedule[schedules.LAST_ID] == job and not schedules.is_over(schedule) then
    follow(id, schedule, schedule[schedules.AFTER_END])
  end
end

return firing
