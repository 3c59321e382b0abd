-- Jobs that get dependents after they were added: their records name a node from then on.
local dependents = require('dependents')
local edges = require('edges')
local extras = require('extras')
local failures = require('failures')
local inputs = require('inputs')
local keys = require('keys')
local meta = require('meta')
local owner = require('owner')
local rare_keys = require('rare_keys')
local values = require('values')
local call = redis.call
local sub = string.sub
local watching = {}

-- Gives a job a node, so that its end is noted. Returns the node, or nil if its record is damaged.
function watching.watch(id, found, node)
  local extra = extras.of(found)
  if extra.damaged then
    return nil
  end
  if not extra.node or not extra.watched then
    found = extras.with_node(found, extra.node or node)
    meta.note_size(#found)
    call('HSET', keys.jobs, id, found)
  end
  local held = call('HGET', keys.owner, id)
  if held and not owner.is_deleting(held) and not owner.is_watched(held) then
    -- Its worker does not know the node: the scripts read the record when it ends.
    call('HSET', keys.owner, id, owner.watched(held))
  end
  return extra.node or node
end

-- The outcome of a job that has ended and whose result or failure is kept, with its letter in front; or nil.
local function outcome_of(id)
  local result = call('HGET', keys.results, id)
  if result and id ~= '' then
    return (sub(result, 1, 1) == 'f' and inputs.FAILED or inputs.COMPLETED) .. result
  end
  local entry = values.unpacked(call('HGET', keys.failed, id) or '')
  if type(entry) == 'table' then
    return inputs.FAILED .. 'f' .. tostring(entry[failures.REASON]) .. '\n' .. tostring(entry[failures.TEXT])
  end
end

-- Whether there is a job with this id, or one that has ended and whose outcome is known.
function watching.is_known(id)
  return call('HEXISTS', keys.jobs, id) == 1 or call('HEXISTS', keys.results, id) == 1 or call('HEXISTS', keys.failed, id) == 1
end

-- The node of a job that is known. It is used once more, so that its outcome is kept.
function watching.hold(id, node)
  local found = call('HGET', keys.jobs, id)
  local own = found and watching.watch(id, found, node)
  if not own then
    local outcome = found and inputs.FAILED .. 'fcorrupt\nthe record of this job is damaged' or outcome_of(id)
    own = node
    call('HSET', rare_keys.outputs, node, outcome or inputs.FAILED .. 'f\nits outcome is lost')
  end
  dependents.use({ [own] = 1 })
  return own
end

-- A job of a flow exists already: `node` stands for it, too.
function watching.alias(id, found, node)
  local own = watching.watch(id, found, node)
  if not own then
    edges.ended_node(node, id, inputs.FAILED, 'fcorrupt\nthe record of this job is damaged')
  elseif own ~= node then
    call('RPUSH', keys.of('after', own), dependents.alias(node, id))
    dependents.use({ [own] = 1 })
  end
end

-- A dependency that has ended, and not completed, of a job that is retried: the job waits for it if it exists again. Returns its node, or nil.
local function wait_again(id, node, dependency, before)
  local found = call('HGET', keys.jobs, dependency)
  local other = found and watching.watch(dependency, found, before)
  if other then
    call('RPUSH', keys.of('after', other), dependents.entry(node, id))
    if other ~= before then
      dependents.use({ [before] = -1, [other] = 1 })
    end
  end
  return other
end

-- Of a job with several dependencies. Returns how many are open.
local function reopen_listed(id, node)
  local key = keys.of('inputs', node)
  local open, listed = 0, call('HGETALL', key)
  for i = 1, #listed, 2 do
    local dependency, value = listed[i], listed[i + 1]
    local letter = sub(value, 1, 1)
    if letter == inputs.OPEN then
      open = open + 1
    elseif sub(dependency, 1, 1) ~= '\1' and letter ~= inputs.COMPLETED then
      local other = wait_again(id, node, dependency, sub(value, 2))
      if other then
        open = open + 1
        call('HSET', key, dependency, inputs.OPEN .. other)
      end
    end
  end
  call('HSET', key, inputs.RETRIED, '1')
  call('HSET', rare_keys.waits, node, open)
  return open
end

-- Of a job with one dependency.
local function reopen_only(id, node, waits)
  local on_failure, letter, before, dependency = inputs.read(waits)
  local other = before
  if letter ~= inputs.OPEN then
    other = letter ~= inputs.COMPLETED and wait_again(id, node, dependency, before)
    if not other then
      return 0
    end
  end
  call('HSET', rare_keys.waits, node, inputs.only(on_failure, inputs.OPEN, other, dependency))
  return 1
end

-- A failed job is retried: it waits for those of its dependencies that exist again, or that had not ended. Returns whether there are any.
function watching.reopen(id, extra)
  local waits = call('HGET', rare_keys.waits, extra.node)
  if not waits then
    return false
  end
  local open = inputs.read(waits) and reopen_only(id, extra.node, waits) or reopen_listed(id, extra.node)
  if open > 0 then
    call('SADD', rare_keys.blocked, id)
  end
  return open > 0
end

return watching
