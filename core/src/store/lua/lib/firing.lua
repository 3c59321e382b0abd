-- Firing of schedules: slots that have passed add their jobs.
local beginnings = require('beginnings')
local clock = require('clock')
local damage = require('damage')
local deletion = require('deletion')
local keys = require('keys')
local meta = require('meta')
local rare_keys = require('rare_keys')
local schedules = require('schedules')
local script = require('script')
local call = redis.call
local firing = {}

-- Jobs of schedules added in one call.
local MOST = 20
-- With fewer slots ahead, more are computed.
local FEW = 4
-- A slot that is so late, in ms, counts as missed.
local MISSED = 60000
-- Slots that were wanted and not computed are wanted again after this time, in ms.
local ASK_AGAIN = 1000

local added = 0

-- The resource of schedules whose jobs wait for each other.
function firing.resource_of(id)
  return 'schedule:' .. id
end

local function is_there(job)
  return job ~= '' and (call('HEXISTS', keys.jobs, job) == 1 or call('HEXISTS', keys.owner, job) == 1)
end

-- Whether the job of a slot may be added beside the one before.
local function may_overlap(id, schedule)
  local how, last = schedule[schedules.OVERLAP], schedule[schedules.LAST_ID]
  if how == 'allow' or not is_there(last) then
    return true
  elseif how == 'replace' then
    deletion.delete({ last })
    return true
  end
  return how == 'queue_one' and call('ZCARD', keys.of('blocked', firing.resource_of(id))) == 0
end

-- Adds the job of a slot; its id, or nil if it is skipped.
function firing.add(id, schedule, slot)
  if not may_overlap(id, schedule) then
    schedule[schedules.SKIPPED] = schedule[schedules.SKIPPED] + 1
    return nil
  end
  local priority, task, careful = unpack(schedule[schedules.ROUTE])
  local job, record = string.format('%s@%.0f', id, slot), call('HGET', rare_keys.schedule_jobs, id)
  if record and call('HEXISTS', keys.jobs, job) == 0 then
    call('HSET', keys.jobs, job, record)
    meta.count('added', 1)
    if #record > meta.largest then
      meta.largest = #record
      meta.remember('largest', #record)
    end
    beginnings.add({ job, record }, { { priority, task, { 1 } } }, careful == 1 and { 1, 0 } or {}, {}, nil)
  end
  added = added + 1
  schedule[schedules.FIRED], schedule[schedules.LAST_ID] = schedule[schedules.FIRED] + 1, job
  return job
end

-- Of the slots that have passed, those that are to run, and how many have passed.
local function due_slots(schedule)
  local slots, passed = schedule[schedules.SLOTS], {}
  for i = 1, #slots, 2 do
    if slots[i + 1] > clock.wall then
      break
    end
    passed[#passed + 1] = slots[i]
  end
  local last = passed[#passed]
  local how = schedule[schedules.CATCH_UP]
  if how == 'all' or not last then
    return passed, #passed
  elseif how == 'none' and clock.wall - last > MISSED then
    return {}, #passed
  end
  return { last }, #passed
end

local function is_over(schedule)
  local limit = schedule[schedules.LIMIT]
  return limit > 0 and schedule[schedules.FIRED] >= limit
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
  local few = #schedule[schedules.SLOTS] < 2 * FEW and schedule[schedules.AFTER_END] == 0 and schedule[schedules.ENDED] == 0
  if few then
    local wanted = script.slots or {}
    script.slots = wanted
    wanted[#wanted + 1] = { id, schedule[schedules.TIMING], schedule[schedules.ANCHOR], schedule[schedules.KNOWN], schedule[schedules.CATCH_UP], clock.wall }
  end
end

-- Adds the jobs of slots that have passed.
local function fire(id)
  local schedule = schedules.read(id)
  if not schedule then
    call('ZREM', rare_keys.schedule_times, id)
    return
  end
  local slots, passed = due_slots(schedule)
  local done = 0
  for _, slot in ipairs(slots) do
    if added >= MOST or is_over(schedule) then
      break
    end
    done = done + 1
    if slot > schedule[schedules.LAST] then
      schedule[schedules.LAST] = slot
      firing.add(id, schedule, slot)
    end
  end
  drop_slots(schedule, done == #slots and passed or done)
  if is_over(schedule) then
    schedule[schedules.SLOTS], schedule[schedules.ENDED] = {}, 1
  end
  want_slots(id, schedule)
  schedules.write(id, schedule)
  schedules.arm(id, schedule, ASK_AGAIN)
end

-- Fires the schedules whose time has come; true if others are left for the next call.
function firing.run()
  local ids = call('ZRANGEBYSCORE', rare_keys.schedule_times, '-inf', clock.wall, 'LIMIT', 0, MOST)
  for _, id in ipairs(ids) do
    if added >= MOST then
      break
    end
    fire(id)
  end
  schedules.arm_first()
  return #ids == MOST or added >= MOST
end

-- Repairs schedules: those that cannot be read are removed, those without a time get one.
function firing.mend(ids)
  for _, id in ipairs(ids) do
    local schedule = schedules.read(id)
    if not schedule then
      damage.note('schedule ' .. id, 'its record cannot be read, and was removed')
      schedules.remove(id)
    elseif call('ZADD', rare_keys.schedule_ids, 0, id) == 1 then
      damage.found()
    end
    local rests = not schedule or schedule[schedules.PAUSED] == 1 or schedule[schedules.ENDED] == 1 or is_over(schedule)
    if not rests and not call('ZSCORE', rare_keys.schedule_times, id) then
      if schedule[schedules.AFTER_END] == 0 or schedule[schedules.SLOTS][1] then
        damage.found()
        schedules.arm(id, schedule)
      elseif not is_there(schedule[schedules.LAST_ID]) then
        damage.found()
        firing.ended(id)
      end
    end
  end
end

-- Its job has ended: with `after_end`, the next follows.
function firing.ended(id)
  local schedule = schedules.read(id)
  if schedule and schedule[schedules.AFTER_END] > 0 and not is_over(schedule) then
    local time = clock.wall + schedule[schedules.AFTER_END]
    schedule[schedules.SLOTS] = { time, time }
    schedules.write(id, schedule)
    schedules.arm(id, schedule)
  end
end

return firing
