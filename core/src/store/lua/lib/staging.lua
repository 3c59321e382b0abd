-- Parts of flows that are too large for one call: `stage:<nonce>` keeps them until the last has come.
local clock = require('clock')
local due_entries = require('due_entries')
local keys = require('keys')
local rare_keys = require('rare_keys')
local stage_fields = require('stage_fields')
local dependents = lazy('dependents')
local watching = lazy('watching')
local call = redis.call
local staging = {}

-- Parts that are not completed are removed after this time, in ms.
local ABANDONED = 60000

function staging.key(nonce)
  return keys.of('stage', nonce)
end

-- The first of the ids that is unknown, or nil.
function staging.unknown(ids)
  for _, id in ipairs(ids) do
    if not watching().is_known(id) then
      return id
    end
  end
end

-- Holds jobs outside of the flow, from position `from` on: their outcomes are kept until the edges to them are stored.
function staging.hold(nonce, ids, from)
  local key = staging.key(nonce)
  call('HSETNX', rare_keys.stages, nonce, '')
  call('ZADD', keys.due, clock.now + ABANDONED, due_entries.STAGE .. nonce)
  for i, id in ipairs(ids) do
    if call('HEXISTS', key, stage_fields.OUTSIDE .. id) == 0 then
      call('HSET', key, stage_fields.OUTSIDE .. id, watching().hold(id, string.format('%so%d', nonce, from + i)))
    end
  end
end

-- Keeps parts of a flow; `number` is that of the first.
function staging.stage(nonce, number, parts)
  local fields = {}
  for i, part in ipairs(parts) do
    fields[2 * i - 1], fields[2 * i] = number + i - 1, part
  end
  call('HSETNX', rare_keys.stages, nonce, '')
  call('ZADD', keys.due, clock.now + ABANDONED, due_entries.STAGE .. nonce)
  call('HSET', staging.key(nonce), unpack(fields))
end

-- The answer of a call that is repeated, or false.
function staging.answer(nonce)
  return call('HGET', rare_keys.flow_answers, nonce)
end

-- Keeps the answer, in case that the reply is lost. `ttl` in ms.
function staging.keep_answer(nonce, answer, ttl)
  call('HSET', rare_keys.flow_answers, nonce, answer)
  call('ZADD', keys.due, clock.now + ttl, due_entries.STAGE .. nonce)
  return answer
end

-- Jobs outside of the flow, and those of the flow that existed.
function staging.read_notes(nonce)
  local change, existed, listed = {}, {}, call('HGETALL', staging.key(nonce))
  for i = 1, #listed, 2 do
    local kind, id = string.sub(listed[i], 1, 2), string.sub(listed[i], 3)
    if kind == stage_fields.OUTSIDE then
      change[listed[i + 1]] = (change[listed[i + 1]] or 0) - 1
    elseif kind == stage_fields.EXISTED then
      existed[#existed + 1] = id
    end
  end
  return change, existed
end

function staging.remove(nonce)
  local change = staging.read_notes(nonce)
  dependents().use(change)
  call('UNLINK', staging.key(nonce))
  call('HDEL', rare_keys.stages, nonce)
end

-- Removes what was staged: the producer gave up, or is gone.
function staging.drop(nonce)
  if call('HEXISTS', staging.key(nonce), stage_fields.NEXT) == 0 then
    staging.remove(nonce)
    if not staging.answer(nonce) then
      call('ZREM', keys.due, due_entries.STAGE .. nonce)
    end
  end
end

return staging
