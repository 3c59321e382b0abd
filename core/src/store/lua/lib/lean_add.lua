-- Adds a single plain job in the common case: the cheapest way, without the modules that other jobs need.
local script = require('script')
local call = redis.call

local META, JOBS, OWNER, READY, LOAD = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[6]
-- The change of a member's score with one job more and one credit less, and the part of a score below the number of jobs: see ranking.lua.
local STEP, ACTIVE, ONE_CREDIT = 65538, 65536, 65532
-- As in limits.lua.
local FENCE, COUNTER, LATEST, SMALL = 9000000000000000, 9e15, 7258118400000, 4096

-- Assigns the job to the least loaded member.
local function assign(inc, score, id, record, fence)
  local prefix = string.sub(META, 1, -5)
  -- First, because it can fail: a job must not have an owner that was not notified.
  call('XADD', prefix .. 'inbox:' .. inc, '*', 'j', cmsgpack.pack({ fence, id, record }))
  call('HSET', OWNER, id, string.format('%d:%s', fence, inc))
  call('SADD', prefix .. 'active:' .. inc, id)
  if score % ACTIVE >= ONE_CREDIT then
    call('ZREM', LOAD, inc)
  else
    call('ZADD', LOAD, score + STEP, inc)
  end
end

-- Adds the job. If this is not the common case, returns nil before it changes anything.
local function lean_add()
  local inc, number = ARGV[1], tonumber(ARGV[2])
  local protocol, last_now, last_fence, added, special, offset, recording, batch =
    unpack(call('HMGET', META, 'protocol', 'now', 'fence', 'added', 'special', 'offset', 'recording', BATCH .. inc))
  last_now, last_fence, added = tonumber(last_now), tonumber(last_fence), tonumber(added)
  if protocol ~= '1' or special and special ~= '' or offset and offset ~= '0' or not (batch and last_now and last_fence and added) then
    return nil
  end
  local readable, last = pcall(cmsgpack.unpack, batch)
  if not readable or type(last) ~= 'table' or type(last[1]) ~= 'number' or number <= last[1] then
    return nil
  end
  local id, record, another = unpack(cmsgpack.unpack(ARGV[3]))
  local time = call('TIME')
  local micros = time[1] * 1000000 + time[2]
  local now = math.floor(micros / 1000)
  local usual = last_now >= 0 and now >= last_now and now <= LATEST and last_fence >= 0 and last_fence <= FENCE and added >= 0 and added <= COUNTER
  -- A job whose transitions are recorded is added as any other.
  local recorded = recording and (recording == 'always' or (tonumber(recording) or 0) > now)
  if another or not usual or recorded or #record > SMALL then
    return nil
  end
  local ranked = call('ZRANGE', LOAD, 0, 0, 'WITHSCORES')
  local worker, score = ranked[1], tonumber(ranked[2])
  if worker and score % 2 == 1 then
    return nil
  end

  call('HSET', JOBS, id, record)
  -- The job is stored: if something fails later, the reply is that of success.
  local fence = math.max(math.floor(last_fence) + 1, micros)
  script.answer = { 0, false, -1 }
  script.in_hand[1] = { id }
  local changes = script.changes
  changes[1], changes[2], changes[3], changes[4] = 'added', added + 1, BATCH .. inc, cmsgpack.pack({ number, false })
  if worker then
    changes[5], changes[6] = 'fence', fence
  end
  if now - last_now > 1000 then
    changes[#changes + 1] = 'now'
    changes[#changes + 1] = now
  end
  if worker then
    assign(worker, score, id, record, fence)
  else
    call('RPUSH', READY, id)
  end
  return script.answer
end

return lean_add
