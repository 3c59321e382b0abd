-- Schedules: records in a hash, and the time of the next slot of each in a sorted set. Times of slots are those of the server's clock, in ms.
local clock = require('clock')
local due_entries = require('due_entries')
local inbox = require('inbox')
local inbox_kinds = require('inbox_kinds')
local keys = require('keys')
local rare_keys = require('rare_keys')
local values = require('values')
local call = redis.call

local schedules = {
  -- Places in a record, which is msgpack.
  TIMING = 1, -- what the slots follow from, opaque here
  ROUTE = 2, -- {priority, task, 1 if scripts process extras of the job, 1 if it has a group}; the record of the job is in a hash of its own
  OVERLAP = 3,
  CATCH_UP = 4,
  AFTER_END = 5, -- ms, or 0
  LIMIT = 6, -- number of jobs, or 0
  ANCHOR = 7, -- when it was created
  SLOTS = 8, -- {slot, delay of its job in ms, ...}
  KNOWN = 9, -- slots up to this time were computed
  FIRED = 10, -- number of jobs that slots added
  LAST = 11, -- the last slot that came
  LAST_ID = 12, -- its job, or ''
  PAUSED = 13, -- 1 if it is paused
  ENDED = 14, -- 1 if no slots follow
  SKIPPED = 15, -- slots that were skipped because the job before had not ended
  NONCE = 16, -- of the last call that changed it or ran it, and what that answered: its reply may be lost
  ANSWER = 17,
  -- Slots that were wanted and not computed are wanted again after this time, in ms.
  ASK_AGAIN = 1000,
}

function schedules.read(id)
  local found = values.unpacked(call('HGET', rare_keys.schedules, id) or '')
  return type(found) == 'table' and #found == schedules.ANSWER and found or nil
end

function schedules.write(id, schedule)
  call('HSET', rare_keys.schedules, id, cmsgpack.pack(schedule))
end

-- `due` has one entry for all schedules. The server's clock may be set at any time: it is looked at after WATCH ms at the latest.
local WATCH = 60000

function schedules.arm_first()
  local first = call('ZRANGE', rare_keys.schedule_times, 0, 0, 'WITHSCORES')[2]
  if first then
    call('ZADD', keys.due, clock.now + math.max(0, math.min(WATCH, tonumber(first) - clock.wall)), due_entries.SCHEDULE)
  else
    call('ZREM', keys.due, due_entries.SCHEDULE)
  end
end

-- Its next job follows the end of one: due like a delay, by the cluster's clock, which never goes back.
local function arm_pause(id, schedule)
  local slot = schedule[schedules.SLOTS][1]
  if schedule[schedules.PAUSED] == 1 or not slot then
    call('ZREM', keys.due, due_entries.SCHEDULE .. id)
  else
    local pause = math.max(0, math.min(slot - clock.wall, schedule[schedules.AFTER_END]))
    call('ZADD', keys.due, clock.now + pause, due_entries.SCHEDULE .. id)
  end
end

-- Notes when the schedule is due next, without `arm_first`. One without slots is due after `pause` ms: the member that comes for it computes more.
function schedules.arm(id, schedule, pause)
  if schedule[schedules.AFTER_END] > 0 then
    arm_pause(id, schedule)
  else
    local first = schedule[schedules.SLOTS][1]
    if schedule[schedules.PAUSED] == 1 or schedule[schedules.ENDED] == 1 and not first then
      call('ZREM', rare_keys.schedule_times, id)
    else
      call('ZADD', rare_keys.schedule_times, first or clock.wall + (pause or 0), id)
    end
  end
end

-- Whether it will come by itself.
function schedules.is_armed(id, schedule)
  if schedule[schedules.AFTER_END] > 0 then
    return call('ZSCORE', keys.due, due_entries.SCHEDULE .. id)
  end
  return call('ZSCORE', rare_keys.schedule_times, id)
end

-- Members sleep until the time that was the first due entry before: wakes two, of which one may be stopped.
local AWAKE = 2

-- Like `arm`, outside of a round of due entries.
function schedules.arm_and_wake(id, schedule, pause)
  local before = call('ZRANGE', keys.due, 0, 0, 'WITHSCORES')
  schedules.arm(id, schedule, pause)
  schedules.arm_first()
  local first = call('ZRANGE', keys.due, 0, 0, 'WITHSCORES')
  if string.sub(first[1] or '', 1, 2) == due_entries.SCHEDULE and tonumber(first[2]) < (tonumber(before[2]) or math.huge) then
    for _, inc in ipairs(call('SRANDMEMBER', keys.members, AWAKE)) do
      inbox.post(inc, inbox_kinds.WAKE, '')
    end
  end
end

local function same_route(one, other)
  return one[1] == other[1] and one[2] == other[2] and one[3] == other[3] and one[4] == other[4]
end

function schedules.is_over(schedule)
  local limit = schedule[schedules.LIMIT]
  return limit > 0 and schedule[schedules.FIRED] >= limit
end

-- Whether the caller repeats a call whose answer was lost.
function schedules.is_repeated(schedule, nonce)
  return schedule and schedule[schedules.NONCE] == nonce
end

-- Another job or other options: the slots stay. Those that passed after its limit do not run.
local function change(schedule, route, overlap, catch_up, limit)
  local was_over = schedules.is_over(schedule)
  schedule[schedules.ROUTE], schedule[schedules.OVERLAP], schedule[schedules.CATCH_UP], schedule[schedules.LIMIT] = route, overlap, catch_up, limit
  if schedules.is_over(schedule) then
    schedule[schedules.ENDED], schedule[schedules.SLOTS] = 1, {}
  elseif was_over then
    schedule[schedules.ENDED], schedule[schedules.KNOWN] = 0, clock.wall
  end
  return schedule
end

-- Another timing: the slots are computed anew, from now on. What the schedule did, and its pause, stay.
local function replace(old, timing, route, overlap, catch_up, after_end, limit)
  local slots = after_end > 0 and { clock.wall, 0 } or {}
  local fired, last, last_id, paused, skipped = 0, 0, '', 0, 0
  if old then
    fired, last, last_id = old[schedules.FIRED], old[schedules.LAST], old[schedules.LAST_ID]
    paused, skipped = old[schedules.PAUSED], old[schedules.SKIPPED]
  end
  local wall = clock.wall
  return { timing, route, overlap, catch_up, after_end, limit, wall, slots, wall, fired, last, last_id, paused, 0, skipped, '', '' }
end

-- Creates or changes a schedule: 'created', 'changed' or 'same'.
function schedules.put(id, nonce, timing, route, record, options)
  local old = schedules.read(id)
  if schedules.is_repeated(old, nonce) then
    return old[schedules.ANSWER], old
  end
  local overlap, catch_up, after_end, limit = unpack(options)
  local same_slots = old and old[schedules.TIMING] == timing and old[schedules.AFTER_END] == after_end
  local same = same_slots and same_route(old[schedules.ROUTE], route) and old[schedules.OVERLAP] == overlap
  if same and old[schedules.CATCH_UP] == catch_up and old[schedules.LIMIT] == limit and call('HGET', rare_keys.schedule_jobs, id) == record then
    return 'same', old
  end
  local how, schedule = old and 'changed' or 'created'
  if same_slots then
    schedule = change(old, route, overlap, catch_up, limit)
  else
    call('ZREM', rare_keys.schedule_times, id)
    call('ZREM', keys.due, due_entries.SCHEDULE .. id)
    schedule = replace(old, timing, route, overlap, catch_up, after_end, limit)
  end
  schedule[schedules.NONCE], schedule[schedules.ANSWER] = nonce, how
  call('HSET', rare_keys.schedule_jobs, id, record)
  schedules.write(id, schedule)
  call('ZADD', rare_keys.schedule_ids, 0, id)
  -- The caller computes the slots. If it does not, a member does later.
  schedules.arm_and_wake(id, schedule, schedules.ASK_AGAIN)
  return how, schedule
end

function schedules.remove(id)
  call('ZREM', rare_keys.schedule_times, id)
  call('ZREM', keys.due, due_entries.SCHEDULE .. id)
  schedules.arm_first()
  call('ZREM', rare_keys.schedule_ids, id)
  call('HDEL', rare_keys.schedule_jobs, id)
  return call('HDEL', rare_keys.schedules, id)
end

-- Appends slots that were computed from `from` on, unless others were meanwhile. `ended`: no more follow.
function schedules.extend(id, timing, from, slots, ended)
  local schedule = schedules.read(id)
  if not schedule or schedule[schedules.TIMING] ~= timing or schedule[schedules.KNOWN] ~= from then
    return
  end
  local all = schedule[schedules.SLOTS]
  for i = 1, #slots do
    all[#all + 1] = slots[i]
  end
  if #slots > 0 then
    schedule[schedules.KNOWN] = slots[#slots - 1]
  end
  schedule[schedules.ENDED] = ended
  schedules.write(id, schedule)
  schedules.arm_and_wake(id, schedule)
end

-- Pauses or resumes; whether it exists. What was missed while it was paused does not run.
function schedules.pause(id, on)
  local schedule = schedules.read(id)
  if not schedule then
    return 0
  end
  local paused = on and 1 or 0
  if schedule[schedules.PAUSED] ~= paused then
    schedule[schedules.PAUSED] = paused
    if not on and schedule[schedules.AFTER_END] == 0 then
      schedule[schedules.SLOTS], schedule[schedules.KNOWN], schedule[schedules.ENDED] = {}, clock.wall, 0
    end
    schedules.write(id, schedule)
    schedules.arm_and_wake(id, schedule)
  end
  return 1
end

return schedules
