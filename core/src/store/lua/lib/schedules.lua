-- Schedules: records in a hash, and the time of the next slot of each in a sorted set. Times of slots are those of the server's clock, in ms.
local clock = require('clock')
local due_entries = require('due_entries')
local keys = require('keys')
local rare_keys = require('rare_keys')
local values = require('values')
local call = redis.call

local schedules = {
  -- Places in a record, which is msgpack.
  TIMING = 1, -- what the slots follow from, opaque here
  ROUTE = 2, -- {priority, task, 1 if scripts process extras of the job}; the record of the job is in a hash of its own
  OVERLAP = 3,
  CATCH_UP = 4,
  AFTER_END = 5, -- ms, or 0
  LIMIT = 6, -- number of jobs, or 0
  ANCHOR = 7, -- when it was created
  SLOTS = 8, -- {slot, when its job is added, ...}
  KNOWN = 9, -- slots up to this time were computed
  FIRED = 10, -- number of jobs added
  LAST = 11, -- the last slot with a job
  LAST_ID = 12, -- its job, or ''
  PAUSED = 13, -- 1 if it is paused
  ENDED = 14, -- 1 if no slots follow
  SKIPPED = 15, -- slots that were skipped because the job before had not ended
}

function schedules.read(id)
  local found = values.unpacked(call('HGET', rare_keys.schedules, id) or '')
  return type(found) == 'table' and #found == schedules.SKIPPED and found or nil
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

-- Notes when the schedule is due next. One without slots is due after `pause` ms: the member that comes for it computes more.
function schedules.arm(id, schedule, pause)
  local first = schedule[schedules.SLOTS][2]
  local over = schedule[schedules.ENDED] == 1 or schedule[schedules.AFTER_END] > 0
  if schedule[schedules.PAUSED] == 1 or over and not first then
    call('ZREM', rare_keys.schedule_times, id)
  else
    call('ZADD', rare_keys.schedule_times, first or clock.wall + (pause or 0), id)
  end
  schedules.arm_first()
end

local function same_route(one, other)
  return one[1] == other[1] and one[2] == other[2] and one[3] == other[3]
end

-- Slots that are kept ahead, at most; two numbers each.
local MOST_AHEAD = 32

-- Creates or changes a schedule: 'created', 'changed' or 'same'. A change of the job or of the options alone keeps its slots.
function schedules.put(id, timing, route, record, options)
  local old = schedules.read(id)
  local overlap, catch_up, after_end, limit = unpack(options)
  local unchanged = old and old[schedules.TIMING] == timing and old[schedules.AFTER_END] == after_end
  local same = unchanged and same_route(old[schedules.ROUTE], route) and old[schedules.OVERLAP] == overlap
  if same and old[schedules.CATCH_UP] == catch_up and old[schedules.LIMIT] == limit and call('HGET', rare_keys.schedule_jobs, id) == record then
    return 'same', old
  end
  local schedule = old
  if unchanged then
    old[schedules.ROUTE], old[schedules.OVERLAP], old[schedules.CATCH_UP], old[schedules.LIMIT] = route, overlap, catch_up, limit
    -- Its limit may have ended it.
    old[schedules.ENDED] = 0
  else
    local slots = after_end > 0 and { clock.wall, clock.wall } or {}
    local fired, last, last_id = 0, 0, ''
    if old then
      fired, last, last_id = old[schedules.FIRED], old[schedules.LAST], old[schedules.LAST_ID]
    end
    schedule = { timing, route, overlap, catch_up, after_end, limit, clock.wall, slots, clock.wall, fired, last, last_id, 0, 0, 0 }
  end
  call('HSET', rare_keys.schedule_jobs, id, record)
  schedules.write(id, schedule)
  call('ZADD', rare_keys.schedule_ids, 0, id)
  schedules.arm(id, schedule)
  return old and 'changed' or 'created', schedule
end

function schedules.remove(id)
  call('ZREM', rare_keys.schedule_times, id)
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
  if #all >= MOST_AHEAD then
    return
  end
  for i = 1, #slots do
    all[#all + 1] = slots[i]
  end
  if #slots > 0 then
    schedule[schedules.KNOWN] = slots[#slots - 1]
  end
  schedule[schedules.ENDED] = ended
  schedules.write(id, schedule)
  schedules.arm(id, schedule)
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
    schedules.arm(id, schedule)
  end
  return 1
end

return schedules
