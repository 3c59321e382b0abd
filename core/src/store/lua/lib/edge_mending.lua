-- Repairs dependencies between jobs, for the sweep.
local damage = require('damage')
local dependents = require('dependents')
local edges = require('edges')
local extras = require('extras')
local inputs = require('inputs')
local keys = require('keys')
local rare_keys = require('rare_keys')
local values = require('values')
local call = redis.call
local sub = string.sub
local edge_mending = {}

-- Dependencies that are checked of one job; and those checked in one call.
local SAMPLE, checks = 50, 200
-- Entries of a list of dependents that are searched. A longer list is taken for complete.
local SEARCHED = 500

local function is_listed(node, entry)
  local after = keys.of('after', node)
  return call('LPOS', after, entry, 'MAXLEN', SEARCHED) or call('LLEN', after) > SEARCHED
end

-- Adds a dependent that is lost to those of a node.
local function list(other, entry)
  local after, used = keys.of('after', other), call('HGET', rare_keys.uses, other)
  local listed = dependents.read(used) == entry or is_listed(other, entry)
  if not listed then
    call('RPUSH', after, entry)
  end
  if not listed or not used then
    damage.found()
    dependents.use({ [other] = 1 })
  end
end

-- Whether the job still waits for this dependency.
local function is_sound(id, node, dependency, other)
  local found = call('HGET', keys.jobs, dependency)
  local own = found and extras.of(found).node
  if not own or own ~= other and not is_listed(own, dependents.alias(other, dependency)) then
    return false
  end
  list(other, dependents.entry(node, id))
  return true
end

-- A random part of the dependencies: ids and values in turn, whether one that failed fails the job, and whether these are all.
local function sample(node, waits)
  local on_failure, letter, other, dependency = inputs.read(waits)
  if on_failure then
    return { dependency, letter .. other }, on_failure == inputs.FAIL, true
  end
  local key = keys.of('inputs', node)
  local listed, found = call('HRANDFIELD', key, SAMPLE, 'WITHVALUES'), {}
  checks = checks - 2
  for i = 1, #listed, 2 do
    if sub(listed[i], 1, 1) ~= '\1' then
      found[#found + 1], found[#found + 2] = listed[i], listed[i + 1]
    end
  end
  local how, retried = unpack(call('HMGET', key, inputs.ON_FAILURE, inputs.RETRIED))
  return found, how == inputs.FAIL and not retried, #listed / 2 < SAMPLE
end

-- What is wrong with some dependencies: edges to settle, how many are open, and the first that failed.
local function check(id, node, listed)
  local lost, open, failed = {}, 0, nil
  for i = 1, #listed, 2 do
    local dependency, letter, other = listed[i], sub(listed[i + 1], 1, 1), sub(listed[i + 1], 2)
    if letter ~= inputs.OPEN then
      failed = failed or letter ~= inputs.COMPLETED and { dependency, letter } or nil
    else
      checks = checks - 1
      open = open + 1
      if not is_sound(id, node, dependency, other) then
        lost[#lost + 1] = { node, id, other, dependency, inputs.FAILED }
      end
    end
  end
  return lost, open, failed
end

-- Whether a blocked job waits for others, or was just started or failed; and whether this call repaired it. Dependencies that do not exist any more
-- count as failed.
function edge_mending.waits(id, extra)
  local waits = call('HGET', rare_keys.waits, extra.node)
  -- While edges are about to be settled or stored, a job may be missing rightly.
  if not waits or checks <= 0 or call('EXISTS', rare_keys.settling, rare_keys.stages) > 0 then
    return waits ~= false, false
  end
  local listed, fails, are_all = sample(extra.node, waits)
  local lost, open, failed = check(id, extra.node, listed)
  if #lost > 0 then
    edges.settle_known(lost)
  elseif failed and fails then
    edges.fail(id, extra.node, failed[1], failed[2])
  elseif open == 0 and (are_all or (values.bounded(waits, 1, 1e9) or 0) == 0) then
    edges.start({ { id, extra.node } })
  else
    return true, false
  end
  damage.found()
  return true, true
end

return edge_mending
