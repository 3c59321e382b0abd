-- Who waits for a job. `uses` has for each node how many of its dependents have not ended, and `after:<node>` those whose edges are not settled yet. Of a
-- node with one dependent, `uses` itself has this dependent, as in `after:<node>` with `=` in front, until its edge is settled.
local keys = require('keys')
local rare_keys = require('rare_keys')
local values = require('values')
local call = redis.call
local sub = string.sub
local dependents = {}

-- A value of `uses` with the only dependent.
local ONLY = '='
-- Stands before an entry in `after:<node>` that is another node of the job.
local ALIAS = '='

function dependents.entry(node, id)
  return node .. ':' .. id
end

-- An entry that is another node of the job itself, for which others wait.
function dependents.alias(node, id)
  return ALIAS .. dependents.entry(node, id)
end

-- Node and id of such an entry, or nil.
function dependents.read_alias(entry)
  return string.match(entry, '^=([^:]+):(.+)$')
end

function dependents.only(entry)
  return ONLY .. entry
end

-- The only dependent in a value of `uses`; nil if there is none, or a number.
function dependents.read(value)
  return value and sub(value, 1, 1) == ONLY and sub(value, 2) or nil
end

local function number(value)
  return values.bounded(value, -1e9, 1e9) or 0
end

-- Changes how many dependents of nodes have not ended. `change`: node -> by how many. Without dependents, the outcome is removed.
function dependents.use(change)
  local nodes, set, unused, lists = {}, {}, {}, {}
  for node in pairs(change) do
    nodes[#nodes + 1] = node
  end
  for i, found in ipairs(#nodes > 0 and call('HMGET', rare_keys.uses, unpack(nodes)) or {}) do
    local node, only = nodes[i], dependents.read(found)
    local uses = (only and 1 or number(found)) + change[node]
    if uses <= 0 then
      unused[#unused + 1] = node
      lists[#lists + 1] = found and not only and keys.of('after', node) or nil
    elseif uses > 1 or not only then
      set[#set + 1], set[#set + 2] = node, uses
      if only then
        call('RPUSH', keys.of('after', node), only)
      end
    end
  end
  if #set > 0 then
    call('HSET', rare_keys.uses, unpack(set))
  end
  if #unused > 0 then
    call('HDEL', rare_keys.uses, unpack(unused))
    call('HDEL', rare_keys.outputs, unpack(unused))
  end
  if #lists > 0 then
    call('UNLINK', unpack(lists))
  end
end

return dependents
