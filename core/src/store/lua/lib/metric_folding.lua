-- Adds the counts of minutes that are over to their slots: fields of the hash `metrics`, `m<minute>`, `h<hour>` and `total`. A slot is a msgpack map of
-- counts, by (index of the task + 1) * 64 + index of the count; see `core/src/store/codec/metrics.rs`. Each call moves a page of fields: they are removed
-- from `metrics:<minute>` when they are added.
local clock = require('clock')
local keys = require('keys')
local metric_tasks = require('metric_tasks')
local metrics = require('metrics')
local rare_keys = require('rare_keys')
local values = require('values')
local call = redis.call
local folding = {}

-- Fields that one call moves, about, and replies of a scan that may be empty.
local PAGE, SCANS = 500, 50
-- The numbers of a task in a slot.
local WIDTH = 64
-- Positions of the counts of a task: by outcome, then by bucket of the wait and of the run, from 1 on.
local OUTCOMES = { [metrics.COMPLETED] = 0, [metrics.FAILED] = 1, [metrics.RETRIED] = 2, [metrics.RELEASED] = 3, [metrics.DELETED] = 4 }
local WAIT, RUN, BUCKETS = 4, 32, 28
-- The character of bucket 0, which stands for none.
local ZERO = 48
-- How many minutes and hours are kept.
local MINUTES, HOURS = 1440, 720

local function table_of(packed)
  local found = packed and values.unpacked(packed)
  return type(found) == 'table' and found or {}
end

-- Adds the counts of fields, {field, number, ...}, by their positions in a slot.
local function sum(fields, tasks)
  local sums = {}
  local function add(at, number)
    sums[at] = (sums[at] or 0) + number
  end
  for i = 1, #fields, 2 do
    local field, number = fields[i], tonumber(fields[i + 1])
    local outcome, wait, run = OUTCOMES[string.sub(field, 1, 1)], string.byte(field, 2, 3)
    if outcome and run and number then
      local base = (metric_tasks.index(tasks, string.sub(field, 4)) + 1) * WIDTH
      add(base + outcome, number)
      if wait > ZERO and wait <= ZERO + BUCKETS then
        add(base + WAIT + wait - ZERO, number)
      end
      if run > ZERO and run <= ZERO + BUCKETS then
        add(base + RUN + run - ZERO, number)
      end
    end
  end
  return sums
end

-- The slot with these counts added.
local function added(packed, sums)
  local slot = table_of(packed)
  for at, number in pairs(sums) do
    slot[at] = (tonumber(slot[at]) or 0) + number
  end
  return cmsgpack.pack(slot)
end

-- Some fields of a minute; none if all were moved.
local function page_of(key)
  local cursor = '0'
  for _ = 1, SCANS do
    local scanned = call('HSCAN', key, cursor, 'COUNT', PAGE)
    cursor = scanned[1]
    if #scanned[2] > 0 or cursor == '0' then
      return scanned[2]
    end
  end
  return {}
end

-- Removes slots that are too old, and those of times that the server's clock has not reached for long.
local function forget_old()
  local now, gone = clock.wall / metrics.MINUTE, {}
  for _, field in ipairs(call('HKEYS', rare_keys.metrics)) do
    local letter, number = string.match(field, '^([mh])(%d+)$')
    number = tonumber(number)
    local age = letter == 'm' and now - number or letter == 'h' and now / 60 - number or 0
    local most = letter == 'm' and MINUTES or HOURS
    if age > most + 1 or age < -most then
      gone[#gone + 1] = field
    end
  end
  if #gone > 0 then
    call('HDEL', rare_keys.metrics, unpack(gone))
  end
end

-- Moves a page of the counts of a minute that is over, if there is one.
function folding.run()
  local now = math.floor(clock.wall / metrics.MINUTE)
  local minutes = call('ZRANGE', rare_keys.metric_minutes, 0, 1)
  local minute = tonumber(minutes[1]) ~= now and minutes[1] or minutes[2]
  if not minute then
    return
  end
  local key = keys.of('metrics', minute)
  local fields = page_of(key)
  if #fields == 0 then
    call('UNLINK', key)
    call('ZREM', rare_keys.metric_minutes, minute)
    return forget_old()
  end
  local of_minute, of_hour = 'm' .. minute, string.format('h%.0f', math.floor(tonumber(minute) / 60))
  local packed = call('HMGET', rare_keys.metrics, 'tasks', 'total', of_minute, of_hour)
  local tasks = metric_tasks.read(packed[1])
  local sums, moved = sum(fields, tasks), {}
  for i = 1, #fields, 2 do
    moved[#moved + 1] = fields[i]
  end
  local total, minutely, hourly = added(packed[2], sums), added(packed[3], sums), added(packed[4], sums)
  metric_tasks.write(tasks)
  call('HSET', rare_keys.metrics, 'total', total, of_minute, minutely, of_hour, hourly)
  call('HDEL', key, unpack(moved))
end

return folding
