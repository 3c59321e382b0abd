-- Shared by every script: the fixed keys in the order of keys.rs, the clock, the meta record, job records.
-- BATCH, set before this: the prefix of the meta field that keeps this kind of batch's last number for ARGV[1], or ''.

local META, JOBS, OWNER, READY, TOMBSTONES, LOAD, DUE, MEMBERS, FAILED, FAILED_AT, RESULTS, WAITERS = unpack(KEYS)
local call = redis.call

-- The key of a member chosen in here. META is "{prefix}:meta"; all keys share its hash tag.
local PREFIX = string.sub(META, 1, -5)
local function key_of(part, inc)
  return PREFIX .. part .. ':' .. inc
end

-- A number read from Redis; nil if it is none, not finite or out of bounds.
local function bounded(value, least, most)
  local number = tonumber(value)
  return number and number >= least and number <= most and number or nil
end

-- The meta record is read once, here, and what is changed of it is written once, by write_meta at the end.
local meta = call('HMGET', META, 'protocol', 'now', 'fence', 'largest', 'tombstones', 'epoch', 'grace', BATCH .. (ARGV[1] or ''),
  'added', 'completed', 'failures', 'deleted', 'crashes', 'deleting', 'special', 'offset', 'ticked', 'swept')
if meta[1] and (tonumber(meta[1]) or 1) > 1 then
  return redis.error_reply('SWARMPROTOCOL ' .. meta[1])
end
local epoch = meta[6] or ''

-- What was packed, or nil if it cannot be read.
local function unpacked(value)
  local readable, found = pcall(cmsgpack.unpack, value)
  return readable and found or nil
end

local last_batch = meta[8] and BATCH ~= '' and unpacked(meta[8])
-- Something is in the way of plain matching: queues besides READY, or a pause.
local special = meta[15] and meta[15] ~= ''
local largest = bounded(meta[4], 0, 1e9) or 0
-- Entries of READY that are dead: their jobs were deleted, or taken out of the middle.
local tombstones = bounded(meta[5], 0, 1e15) or 0

local changed_at = {}
local function remember(field, value)
  local at = changed_at[field]
  if not at then
    at = #changes + 2
    changed_at[field] = at
    changes[at - 1] = field
  end
  changes[at] = value
end

-- What extras.lua has left to do.
local before_writing

-- The time of the cluster, and what the last script left of it in meta.
local now, last_now

local function write_meta()
  if before_writing then
    before_writing()
  end
  -- Ticks write it each time. Between them it is enough that the time never goes back by more than a second.
  if meta[1] and now - (last_now or 0) > 1000 then
    remember('now', now)
  end
  if #changes > 0 then
    call('HSET', META, unpack(changes))
  end
end

-- What only some jobs and members have; see extras.lua.
local extras

local counters = { added = meta[9], completed = meta[10], failures = meta[11], deleted = meta[12], crashes = meta[13], deleting = meta[14] }
local function count(name, by)
  if counters[name] == nil then
    counters[name] = call('HGET', META, name)
  end
  counters[name] = (bounded(counters[name], -9e15, 9e15) or 0) + by
  remember(name, counters[name])
end

-- Leases are a day at most, in ms.
local MAX_LEASE = 86400000
-- Fences are microseconds and must be exact as doubles. LATEST, in ms, is the year 2200.
local LATEST, LARGEST_FENCE = 7258118400000, 9000000000000000

-- A number of meta, if it is there. One that no script writes is replaced and counted.
local function read_meta(field, value, least, most)
  local number = bounded(value, least, most)
  if value and not number then
    count('damaged', 1)
    remember(field, 0)
  end
  return number
end

local clock = call('TIME')
local micros = clock[1] * 1000000 + clock[2]
-- The server's clock, in ms: for what people see and for times of day.
local wall = math.floor(micros / 1000)
-- The cluster's clock, in ms, for everything that is due: the server's, plus an offset that grows when that was set back, so that this one neither goes
-- back nor stands still. The offset shrinks again by time in which nobody came: the server's clock was set forward, or Redis was away.
local offset
do
  local before = read_meta('offset', meta[16], 0, LATEST) or 0
  offset = before
  if wall + offset > LATEST then
    offset = 0
  end
  last_now = read_meta('now', meta[2], 0, LATEST)
  local passed = last_now and wall + offset - last_now or 0
  if passed < 0 then
    offset = offset - passed
  elseif passed > 60000 and offset > 0 then
    offset = math.max(0, offset - passed)
  end
  now = wall + offset
  if offset ~= before then
    remember('offset', offset)
    remember('now', now)
  end
end

-- The first of `number` new fences. They grow with the server's clock, so that they do when Redis has lost its data.
local last_fence = math.floor(read_meta('fence', meta[3], 0, LARGEST_FENCE) or 0)
local function new_fences(number)
  local first = math.max(last_fence + 1, micros)
  last_fence = first + number - 1
  remember('fence', last_fence)
  return first
end

-- Jobs moved per call at most, so that no call hands over more than about 4 MiB of payloads.
local move_limit = 1000
if largest > 4096 then
  move_limit = math.max(1, math.min(1000, math.floor(4194304 / largest)))
end

-- Record: flags, [crashes], [length (2), resource], [result ttl in s (4), length (1), requester], [failed attempts (1), length (2), extras
-- (msgpack)], payload. Flags: 1 bytes, 2 result, 4 crashes, 8 extras, 16 with which scripts have something to do when the job is given or ends,
-- 32 suspect: more workers than it is allowed died in a row while they ran it and others, 64 resource. A record may be damaged: it is read
-- as far as it goes, and its worker will fail it.
local function has_extras(record)
  return (string.byte(record, 1) or 0) >= 8
end

-- Where the part after the flags and crashes begins.
local function after_crashes(record)
  return bit.band(string.byte(record, 1) or 0, 4) ~= 0 and 3 or 2
end

-- The length of the part that names the resource.
local function resource_length(record, at)
  if bit.band(string.byte(record, 1) or 0, 64) == 0 or #record < at + 1 then
    return 0
  end
  return 2 + struct.unpack('>I2', record, at)
end

-- The fence, the incarnation and ':d' or '' of what OWNER says; nothing if it cannot be read.
local function read_owner(owner)
  local fence, inc, deleting = string.match(owner or '', '^(%d+):([^:]+)(:?d?)$')
  return tonumber(fence), inc, deleting
end

-- The ttl in seconds and the requester ('' = none), or nil if nobody wants the result.
local function result_of(record)
  if bit.band(string.byte(record, 1) or 0, 2) == 0 then
    return nil
  end
  local at = after_crashes(record)
  at = at + resource_length(record, at)
  if #record < at + 4 then
    return nil
  end
  local ttl, length = struct.unpack('>I4B', record, at)
  return ttl, string.sub(record, at + 5, at + 4 + length)
end
