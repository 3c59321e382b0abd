-- Jobs that get dependents after they were added: their records name a node from then on.
local edges = require('edges')
local extras = require('extras')
local failures = require('failures')
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
    return (sub(result, 1, 1) == 'f' and edges.FAILED or edges.COMPLETED) .. result
  end
  local entry = values.unpacked(call('HGET', keys.failed, id) or '')
  if type(entry) == 'table' then
    return edges.FAILED .. 'f' .. tostring(entry[failures.REASON]) .. '\n' .. tostring(entry[failures.TEXT])
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
    local outcome = found and edges.FAILED .. 'fcorrupt\nthe record of this job is damaged' or outcome_of(id)
    own = node
    call('HSET', rare_keys.outputs, node, outcome or edges.FAILED .. 'f\nits outcome is lost')
  end
  edges.use({ [own] = 1 })
  return own
end

-- A job of a flow exists already: `node` stands for it, too.
function watching.alias(id, found, node)
  local own = watching.watch(id, found, node)
  if not own then
    edges.ended_node(node, id, edges.FAILED, 'fcorrupt\nthe record of this job is damaged')
  elseif own ~= node then
    call('RPUSH', keys.of('after', own), '=' .. node .. ':' .. id)
    edges.use({ [own] = 1 })
  end
end

-- A failed job is retried: it waits for those of its dependencies that exist again, or that had not ended. Returns whether there are any.
function watching.reopen(id, extra)
  local key = keys.of('inputs', extra.node)
  if not call('HGET', rare_keys.waits, extra.node) then
    return false
  end
  local open, listed = 0, call('HGETALL', key)
  for i = 1, #listed, 2 do
    local dependency, value = listed[i], listed[i + 1]
    local letter, before = sub(value, 1, 1), sub(value, 2)
    if letter == edges.OPEN then
      open = open + 1
    elseif sub(dependency, 1, 1) ~= '\1' and letter ~= edges.COMPLETED then
      local found = call('HGET', keys.jobs, dependency)
      local node = found and watching.watch(dependency, found, before)
      if node then
        open = open + 1
        call('HSET', key, dependency, edges.OPEN .. node)
        call('RPUSH', keys.of('after', node), extra.node .. ':' .. id)
        if node ~= before then
          edges.use({ [before] = -1, [node] = 1 })
        end
      end
    end
  end
  call('HSET', rare_keys.waits, extra.node, open)
  if open > 0 then
    call('SADD', rare_keys.blocked, id)
  end
  return open > 0
end

return watching
