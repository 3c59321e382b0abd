-- Shared by every script: the fixed keys in the order of keys.rs, the clock, the meta record, records.

local META, JOBS, OWNER, READY, GHOSTS, LOAD, CREDIT, DUE, MEMBERS, FAILED, FAILED_AT, RESULTS, WAITERS = unpack(KEYS)
local call = redis.call

-- The key of a member chosen in here. META is "{prefix}:meta"; all keys share its hash tag.
local function key_of(part, inc)
  return string.sub(META, 1, -5) .. part .. ':' .. inc
end

local meta = call('HMGET', META, 'protocol', 'now', 'fence', 'largest', 'ghosts', 'epoch', 'grace')
if meta[1] and tonumber(meta[1]) > 1 then
  return redis.error_reply('SWARMPROTOCOL ' .. meta[1])
end
local clock = call('TIME')
local micros = clock[1] * 1000000 + clock[2]
-- Milliseconds; never goes back, even if the server's clock does.
local now = math.max(math.floor(micros / 1000), tonumber(meta[2]) or 0)
local epoch = meta[6] or ''

-- The first of `count` new fences.
local last_fence = tonumber(meta[3]) or 0
local function new_fences(count)
  local first = math.max(last_fence + 1, micros)
  last_fence = first + count - 1
  call('HSET', META, 'fence', last_fence)
  return first
end

-- Jobs moved per call at most, so that no call hands over more than 4 MiB of payloads.
local largest = tonumber(meta[4]) or 0
local move_limit = 1000
if largest > 4096 then
  move_limit = math.max(1, math.min(1000, math.floor(4194304 / largest)))
end

local ghosts = tonumber(meta[5]) or 0

-- Record: flags, [deaths], [result ttl in s (4), length (1), requester], payload. Flags: 1 bytes, 2 result, 4 deaths.
local function deaths_of(record)
  return bit.band(string.byte(record, 1), 4) ~= 0 and string.byte(record, 2) or 0
end

local function with_deaths(record, deaths)
  local flags = string.byte(record, 1)
  local rest = bit.band(flags, 4) ~= 0 and 3 or 2
  return string.char(bit.bor(flags, 4), deaths) .. string.sub(record, rest)
end

-- The ttl in seconds and the requester ('' = none), or nil if nobody wants the result.
local function result_of(record)
  local flags = string.byte(record, 1)
  if bit.band(flags, 2) == 0 then
    return nil
  end
  local at = bit.band(flags, 4) ~= 0 and 3 or 2
  local ttl, length = struct.unpack('>I4B', record, at)
  return ttl, string.sub(record, at + 5, at + 4 + length)
end
