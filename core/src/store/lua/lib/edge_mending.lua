-- Repairs dependencies between jobs, for the sweep.
local damage = require('damage')
local edges = require('edges')
local extras = require('extras')
local keys = require('keys')
local rare_keys = require('rare_keys')
local values = require('values')
local call = redis.call
local sub = string.sub
local edge_mending = {}

-- Dependencies that are checked of one job; and those checked in one call.
local SAMPLE, checks = 50, 200

-- Whether the job still waits for this dependency.
local function is_sound(id, node, dependency, other)
  local found = call('HGET', keys.jobs, dependency)
  if not found or extras.of(found).node ~= other then
    return false
  end
  local after = keys.of('after', other)
  if call('EXISTS', after) == 0 then
    damage.found()
    call('RPUSH', after, node .. ':' .. id)
    edges.use({ [other] = 1 })
  end
  return true
end

-- What is wrong with a random part of the dependencies: edges to settle, how many are open, and the first that failed.
local function check(id, node)
  local listed, lost, open, failed = call('HRANDFIELD', keys.of('inputs', node), SAMPLE, 'WITHVALUES'), {}, 0, nil
  for i = 1, #listed, 2 do
    local dependency, letter, other = listed[i], sub(listed[i + 1], 1, 1), sub(listed[i + 1], 2)
    if sub(dependency, 1, 1) == '\1' then
      checks = checks - 1
    elseif letter ~= edges.OPEN then
      failed = failed or letter ~= edges.COMPLETED and { dependency, letter } or nil
    else
      checks = checks - 1
      open = open + 1
      if not is_sound(id, node, dependency, other) then
        lost[#lost + 1] = { node, id, other, dependency, edges.FAILED }
      end
    end
  end
  return lost, open, failed, #listed / 2
end

-- Whether a blocked job waits for others. Those that do not exist any more count as failed.
function edge_mending.waits(id, extra)
  local count = call('HGET', rare_keys.waits, extra.node)
  -- While edges are about to be settled or stored, a job may be missing rightly.
  if not count or checks <= 0 or call('EXISTS', rare_keys.settling, rare_keys.stages) > 0 then
    return count ~= false
  end
  local lost, open, failed, size = check(id, extra.node)
  if #lost > 0 then
    damage.found()
    edges.settle_known(lost)
  elseif failed and call('HGET', keys.of('inputs', extra.node), edges.ON_FAILURE) == edges.FAIL then
    damage.found()
    edges.fail(id, extra.node, failed[1], failed[2])
  elseif open == 0 and (size < SAMPLE or (values.bounded(count, 1, 1e9) or 0) == 0) then
    damage.found()
    edges.start({ { id, extra.node } })
  end
  -- It waits, or was just started or failed.
  return true
end

return edge_mending
