-- Dependencies between jobs. Each job that waits for others, or that others wait for, has a node: a unique text that its record names, so that an
-- id that is added again is not mistaken for the job before. When a job ends, the edges of its dependents are settled in the same call, up to a
-- limit; the list `settling` has the rest, which an entry of `due` continues at once.
local clock = require('clock')
local due_entries = require('due_entries')
local extras = require('extras')
local failures = require('failures')
local inbox = require('inbox')
local inbox_kinds = require('inbox_kinds')
local keys = require('keys')
local rare_keys = require('rare_keys')
local script = require('script')
local values = require('values')
local beginnings = lazy('beginnings')
local flows = lazy('flows')
local call = redis.call
local sub = string.sub

local edges = {
  -- The first letter of an edge in `inputs:<node>` and of an outcome in `outputs`.
  OPEN = '?',
  COMPLETED = 'c',
  FAILED = 'f',
  DELETED = 'd',
  -- Fields of `inputs:<node>` that are no ids, which have no control characters: what a failed dependency does, and when the job starts after them.
  ON_FAILURE = '\1f',
  START = '\1s',
  -- Values of ON_FAILURE.
  FAIL = '0',
}
-- Entries of `settling`.
local SETTLE, DROP = 's', 'x'
-- Edges settled in one call; a dependent that fails counts as several.
local budget, FAILING = 200, 4
-- Fields of `inputs` that are removed at once.
local PAGE = 100
-- An entry in a list of dependents that is another node of the same job.
local ALIAS = '='

-- Jobs that ended in this call: {node, id, letter, outcome, flow}.
local pending = {}

-- Notes the end of a job that has a node; `outcome` is nil if it was deleted.
function edges.ended(id, extra, outcome)
  local letter = not outcome and edges.DELETED or sub(outcome, 1, 1) == 'f' and edges.FAILED or edges.COMPLETED
  pending[#pending + 1] = { extra.node, id, letter, outcome or '', extra.flow }
end

-- As `ended`, for another node of the same job.
function edges.ended_node(node, id, letter, outcome)
  pending[#pending + 1] = { node, id, letter, outcome, '' }
end

local function number(text)
  return values.bounded(text, -1e9, 1e9) or 0
end

-- Changes the number of dependents of nodes that have not ended. `change`: node -> by how many. Without dependents, the outcome is removed.
function edges.use(change)
  local nodes, set, unused = {}, {}, {}
  for node in pairs(change) do
    nodes[#nodes + 1] = node
  end
  for i, found in ipairs(#nodes > 0 and call('HMGET', rare_keys.uses, unpack(nodes)) or {}) do
    local uses = number(found) + change[nodes[i]]
    if uses > 0 then
      set[#set + 1], set[#set + 2] = nodes[i], uses
    else
      unused[#unused + 1] = nodes[i]
    end
  end
  if #set > 0 then
    call('HSET', rare_keys.uses, unpack(set))
  end
  if #unused > 0 then
    call('HDEL', rare_keys.uses, unpack(unused))
    call('HDEL', rare_keys.outputs, unpack(unused))
    for _, node in ipairs(unused) do
      call('UNLINK', keys.of('after', node))
    end
  end
end

-- Adds entries to `settling`, and wakes two members, of which one may be stopped.
local function push(...)
  if call('RPUSH', rare_keys.settling, ...) == select('#', ...) then
    call('ZADD', keys.due, clock.now, due_entries.SETTLE)
    for _, inc in ipairs(call('SRANDMEMBER', keys.members, 2)) do
      inbox.post(inc, inbox_kinds.WAKE, '')
    end
  end
end

-- Removes a page of what a job has of its dependencies.
local function drop(node)
  local key = keys.of('inputs', node)
  local scanned = call('HSCAN', key, 0, 'COUNT', PAGE)
  local change, fields = {}, {}
  for i = 1, #scanned[2], 2 do
    local field, value = scanned[2][i], scanned[2][i + 1]
    fields[#fields + 1] = field
    if sub(field, 1, 1) ~= '\1' then
      local other = sub(value, 2)
      change[other] = (change[other] or 0) - 1
    end
  end
  for from = 1, #fields, 1000 do
    call('HDEL', key, unpack(fields, from, math.min(#fields, from + 999)))
  end
  edges.use(change)
  budget = budget - #fields
  if call('EXISTS', key) == 1 then
    push(cmsgpack.pack({ DROP, node }))
  end
end

-- Removes what jobs have of their dependencies.
local function drop_all(nodes)
  if #nodes == 0 then
    return
  end
  call('HDEL', rare_keys.waits, unpack(nodes))
  for _, node in ipairs(nodes) do
    if budget > 0 then
      drop(node)
    else
      push(cmsgpack.pack({ DROP, node }))
    end
  end
end

-- The failed jobs are retried or forgotten. With `kept`, what they have of their dependencies stays.
function edges.forget_failed(ids, kept)
  local nodes = {}
  for _, node in ipairs(call('HMGET', rare_keys.failed_nodes, unpack(ids))) do
    nodes[#nodes + 1] = node or nil
  end
  call('HDEL', rare_keys.failed_nodes, unpack(ids))
  if not kept then
    drop_all(nodes)
  end
end

-- Keeps the outcomes of jobs with dependents, and removes what the ended jobs have of their own dependencies. Those that failed keep it while they
-- are in the list of failed jobs: they may be retried.
local function store(ended)
  local nodes, kept, dropped = {}, {}, {}
  for i, one in ipairs(ended) do
    nodes[i] = one[1]
  end
  local uses, waits = call('HMGET', rare_keys.uses, unpack(nodes)), call('HMGET', rare_keys.waits, unpack(nodes))
  for i, one in ipairs(ended) do
    local node, id, letter, outcome = unpack(one)
    one.used = uses[i]
    if uses[i] then
      kept[#kept + 1], kept[#kept + 2] = node, letter .. outcome
    end
    if waits[i] and letter == edges.FAILED and call('ZSCORE', keys.failed_at, id) then
      call('HSET', rare_keys.failed_nodes, id, node)
    elseif waits[i] then
      dropped[#dropped + 1] = node
    end
  end
  if #kept > 0 then
    call('HSET', rare_keys.outputs, unpack(kept))
  end
  drop_all(dropped)
end

-- Dependents whose edges are settled: node -> {id, dependency, letter and node of the dependency, ...}.
local function note(groups, entry, one)
  local node, id = string.match(entry, '^([^:]+):(.+)$')
  if node then
    local group = groups[node]
    if not group then
      group = { id = id, fields = {}, values = {} }
      -- In order, too.
      groups[node], groups[#groups + 1] = group, node
    end
    local n = #group.fields + 1
    group.fields[n], group.values[n] = one[2], one[3] .. one[1]
  end
end

-- Takes dependents of an ended job, within the budget.
local function take(groups, one)
  local key = keys.of('after', one[1])
  local some = call('LPOP', key, budget) or {}
  budget = budget - #some
  for _, entry in ipairs(some) do
    if sub(entry, 1, 1) == ALIAS then
      local node, id = string.match(entry, '^=([^:]+):(.+)$')
      local outcome = call('HGET', rare_keys.outputs, one[1]) or one[3]
      edges.ended_node(node, id, one[3], sub(outcome, 2))
      edges.use({ [one[1]] = -1 })
    else
      note(groups, entry, one)
    end
  end
  if budget <= 0 and call('EXISTS', key) == 1 then
    push(cmsgpack.pack({ SETTLE, one[1], one[2], one[3] }))
  end
end

-- The dependency whose failure fails the job, if any.
local function failed_by(group)
  for i, value in ipairs(group.settled) do
    if sub(value, 1, 1) ~= edges.COMPLETED then
      return group.settled_ids[i], sub(value, 1, 1)
    end
  end
end

-- Settles the edges of one dependent. Returns how many are left, or nil if it is gone.
local function settle_group(node, group)
  local key = keys.of('inputs', node)
  local waits, fields = call('HGET', rare_keys.waits, node), {}
  group.settled, group.settled_ids = {}, {}
  for i, value in ipairs(waits and call('HMGET', key, unpack(group.fields)) or {}) do
    if value and sub(value, 1, 1) == edges.OPEN then
      fields[#fields + 1], fields[#fields + 2] = group.fields[i], group.values[i]
      group.settled[#group.settled + 1], group.settled_ids[#group.settled_ids + 1] = group.values[i], group.fields[i]
    end
  end
  if #fields == 0 then
    return nil
  end
  call('HSET', key, unpack(fields))
  local left = number(waits) - #group.settled
  call('HSET', rare_keys.waits, node, left)
  return left
end

-- The record of the job with this node, if it is blocked; it is not blocked any more.
local function unblock(id, node)
  local found = call('HGET', keys.jobs, id)
  if found and extras.of(found).node == node and call('SREM', rare_keys.blocked, id) == 1 then
    script.in_hand[#script.in_hand + 1] = { id }
    return found
  end
end

local TEXTS = { [edges.FAILED] = 'the job `%s`, which it waited for, failed', [edges.DELETED] = 'the job `%s`, which it waited for, was deleted' }

-- Fails a job because a dependency did.
function edges.fail(id, node, dependency, letter)
  local found = call('HGET', keys.jobs, id)
  local flow = found and extras.of(found).flow
  if not found or flow and flow ~= '' and flows().is_cancelled(flow) then
    -- All its jobs are deleted.
    return
  end
  found = unblock(id, node)
  if found then
    failures.fail(id, found, 'dependency_failed', string.format(TEXTS[letter] or TEXTS.f, dependency), call('HGET', keys.owner, id))
  end
end

-- Jobs that wait for nothing more start.
function edges.start(ready)
  local ids, records, starts = {}, {}, {}
  for _, one in ipairs(ready) do
    local found = unblock(one[1], one[2])
    if found then
      local n = #ids + 1
      ids[n], records[n], starts[n] = one[1], found, number(call('HGET', keys.of('inputs', one[2]), edges.START))
    end
  end
  if #ids > 0 then
    beginnings().release(ids, records, starts)
  end
end

local function apply(groups)
  local ready = {}
  for _, node in ipairs(groups) do
    local group = groups[node]
    local left = settle_group(node, group)
    local dependency, letter = failed_by(group)
    if left and dependency and call('HGET', keys.of('inputs', node), edges.ON_FAILURE) == edges.FAIL then
      budget = budget - FAILING
      edges.fail(group.id, node, dependency, letter)
    elseif left and left <= 0 then
      ready[#ready + 1] = { group.id, node }
    end
  end
  edges.start(ready)
end

-- Settles edges of dependents of outcomes that are known: {dependent's node, its id, node, id and letter of the ended job}, ...
function edges.settle_known(list)
  local groups = {}
  for _, one in ipairs(list) do
    note(groups, one[1] .. ':' .. one[2], { one[3], one[4], one[5] })
  end
  apply(groups)
end

local function is_of_flow(one)
  return one[5] and one[5] ~= ''
end

-- Notes how jobs ended, 1000 at most.
local function note_ends(ended)
  store(ended)
  for _, one in ipairs(ended) do
    if is_of_flow(one) then
      return flows().note(ended)
    end
  end
end

-- Settles the edges of jobs that ended in this call.
function edges.settle()
  while #pending > 0 do
    local ended, groups = pending, {}
    pending = {}
    for from = 1, #ended, 1000 do
      note_ends({ unpack(ended, from, math.min(#ended, from + 999)) })
    end
    local later = {}
    for _, one in ipairs(ended) do
      if one.used and budget > 0 then
        take(groups, one)
      elseif one.used then
        later[#later + 1] = cmsgpack.pack({ SETTLE, one[1], one[2], one[3] })
      end
    end
    for from = 1, #later, 1000 do
      push(unpack(later, from, math.min(#later, from + 999)))
    end
    apply(groups)
  end
end

script.flush.edges = edges.settle

-- Continues what exceeded the limit of a call.
function edges.continue()
  while budget > 0 do
    local entry = values.unpacked(call('LPOP', rare_keys.settling) or '')
    if type(entry) ~= 'table' then
      break
    elseif entry[1] == DROP then
      drop(entry[2])
    else
      local groups = {}
      take(groups, { entry[2], entry[3], entry[4] })
      apply(groups)
    end
    edges.settle()
  end
  if call('EXISTS', rare_keys.settling) == 1 then
    call('ZADD', keys.due, clock.now, due_entries.SETTLE)
  else
    call('ZREM', keys.due, due_entries.SETTLE)
  end
end

return edges
