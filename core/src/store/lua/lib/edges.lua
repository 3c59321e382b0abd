-- Dependencies between jobs. Each job that waits for others, or that others wait for, has a node: a unique text that its record names, so that an
-- id that is added again is not mistaken for the job before. When a job ends, the edges of its dependents are settled in the same call, up to a
-- limit; the list `settling` has the rest, which an entry of `due` continues at once.
local clock = require('clock')
local dependents = require('dependents')
local due_entries = require('due_entries')
local extras = require('extras')
local failures = require('failures')
local inbox = require('inbox')
local inbox_kinds = require('inbox_kinds')
local inputs = require('inputs')
local keys = require('keys')
local rare_keys = require('rare_keys')
local script = require('script')
local values = require('values')
local beginnings = lazy('beginnings')
local flows = lazy('flows')
local call = redis.call
local sub = string.sub

local edges = {}
-- Entries of `settling`.
local SETTLE, DROP = 's', 'x'
-- Edges settled in one call; a dependent that fails counts as several.
local budget, FAILING = 200, 4
-- Fields of `inputs:<node>` that are removed at once, and nodes with one dependency or one dependent that are read at once.
local PAGE, NODES = 100, 1000

-- Jobs that ended in this call: {node, id, letter, outcome, flow}.
local pending = {}

-- Notes the end of a job that has a node; `outcome` is nil if it was deleted.
function edges.ended(id, extra, outcome)
  local letter = not outcome and inputs.DELETED or sub(outcome, 1, 1) == 'f' and inputs.FAILED or inputs.COMPLETED
  pending[#pending + 1] = { extra.node, id, letter, outcome or '', extra.flow }
end

-- As `ended`, for another node of the same job.
function edges.ended_node(node, id, letter, outcome)
  pending[#pending + 1] = { node, id, letter, outcome, '' }
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

-- Removes a page of `inputs:<node>`.
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
  dependents.use(change)
  budget = budget - #fields
  if call('EXISTS', key) == 1 then
    push(cmsgpack.pack({ DROP, node }))
  end
end

-- Removes what jobs have of their dependencies. `waits`: their values in `waits`, or false.
local function drop_all(nodes, waits)
  if #nodes == 0 then
    return
  end
  call('HDEL', rare_keys.waits, unpack(nodes))
  local change = {}
  for i, node in ipairs(nodes) do
    local on_failure, _, other = inputs.read(waits[i] or '')
    if on_failure then
      change[other] = (change[other] or 0) - 1
    elseif budget > 0 then
      drop(node)
    else
      push(cmsgpack.pack({ DROP, node }))
    end
  end
  dependents.use(change)
end

-- The failed jobs are retried or forgotten. With `kept`, what they have of their dependencies stays.
function edges.forget_failed(ids, kept)
  local nodes = {}
  for _, node in ipairs(call('HMGET', rare_keys.failed_nodes, unpack(ids))) do
    nodes[#nodes + 1] = node or nil
  end
  call('HDEL', rare_keys.failed_nodes, unpack(ids))
  if not kept and #nodes > 0 then
    drop_all(nodes, call('HMGET', rare_keys.waits, unpack(nodes)))
  end
end

-- Keeps the outcomes of jobs with dependents. Appends the nodes of those that waited for others, and what they have in `waits`, to `gone`. Those that
-- failed keep it while they are in the list of failed jobs: they may be retried.
local function store(ended, gone)
  local nodes, kept = {}, {}
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
    if waits[i] and letter == inputs.FAILED and call('ZSCORE', keys.failed_at, id) then
      call('HSET', rare_keys.failed_nodes, id, node)
    elseif waits[i] then
      gone.nodes[#gone.nodes + 1], gone.waits[#gone.waits + 1] = node, waits[i]
    end
  end
  if #kept > 0 then
    call('HSET', rare_keys.outputs, unpack(kept))
  end
end

-- Dependents whose edges are settled: node -> {id, its dependency, letter and node of this, and `more` with the same of others, if there are several}.
local function note(groups, entry, one)
  local node, id = string.match(entry, '^([^:]+):(.+)$')
  if not node then
    return
  end
  local group, value = groups[node], one[3] .. one[1]
  if not group then
    -- In order, too.
    groups[#groups + 1], groups[node] = node, { id = id, dependency = one[2], value = value }
  else
    group.more = group.more or { fields = { group.dependency }, values = { group.value } }
    local n = #group.more.fields + 1
    group.more.fields[n], group.more.values[n] = one[2], value
  end
end

-- Takes dependents of an ended job, within the budget. Appends its node to `taken` if its only dependent was in `uses`.
local function take(groups, one, taken)
  local only = dependents.read(one.used)
  if only then
    budget = budget - 1
    note(groups, only, one)
    taken[#taken + 1], taken[#taken + 2] = one[1], '1'
    return
  end
  local key = keys.of('after', one[1])
  local some = call('LPOP', key, budget) or {}
  budget = budget - #some
  for _, entry in ipairs(some) do
    local node, id = dependents.read_alias(entry)
    if node then
      local outcome = call('HGET', rare_keys.outputs, one[1]) or one[3]
      edges.ended_node(node, id, one[3], sub(outcome, 2))
      dependents.use({ [one[1]] = -1 })
    else
      note(groups, entry, one)
    end
  end
  if budget <= 0 and call('EXISTS', key) == 1 then
    push(cmsgpack.pack({ SETTLE, one[1], one[2], one[3] }))
  end
end

-- Takes dependents of ended jobs; what exceeds the budget is done later.
local function take_all(groups, ended)
  local taken, later = {}, {}
  for _, one in ipairs(ended) do
    if one.used and budget > 0 then
      take(groups, one, taken)
    elseif one.used then
      later[#later + 1] = cmsgpack.pack({ SETTLE, one[1], one[2], one[3] })
    end
  end
  if #taken > 0 then
    call('HSET', rare_keys.uses, unpack(taken))
  end
  for from = 1, #later, 1000 do
    push(unpack(later, from, math.min(#later, from + 999)))
  end
end

-- Settles edges in `inputs:<node>`. Sets how many are left, and whether the failure of a dependency fails the job.
local function settle_listed(node, group, waits)
  local key, fields = keys.of('inputs', node), {}
  local settled = group.more or { fields = { group.dependency }, values = { group.value } }
  for i, value in ipairs(call('HMGET', key, unpack(settled.fields))) do
    local letter = sub(settled.values[i], 1, 1)
    if value and sub(value, 1, 1) == inputs.OPEN then
      fields[#fields + 1], fields[#fields + 2] = settled.fields[i], settled.values[i]
      if letter ~= inputs.COMPLETED and not group.failed_by then
        group.failed_by, group.letter = settled.fields[i], letter
      end
    end
  end
  if #fields == 0 then
    return
  end
  call('HSET', key, unpack(fields))
  group.left = (values.bounded(waits, 0, 1e9) or 0) - #fields / 2
  call('HSET', rare_keys.waits, node, group.left)
  group.fails = group.failed_by and call('HGET', key, inputs.ON_FAILURE) == inputs.FAIL
end

-- Settles the only edge of a job. Returns the new value in `waits`, or nil if nothing changes.
local function settle_only(group, waits)
  local on_failure, letter, _, dependency = inputs.read(waits)
  if letter ~= inputs.OPEN or dependency ~= group.dependency then
    return nil
  end
  local now = sub(group.value, 1, 1)
  group.left, group.start = 0, 0
  if now ~= inputs.COMPLETED and on_failure == inputs.FAIL then
    group.fails, group.failed_by, group.letter = true, dependency, now
  end
  return inputs.only(on_failure, now, sub(group.value, 2), dependency)
end

-- The record of the job with this node, if it is blocked; it is not blocked any more.
local function unblock(id, node)
  local found = call('HGET', keys.jobs, id)
  if found and extras.of(found).node == node and call('SREM', rare_keys.blocked, id) == 1 then
    script.in_hand[#script.in_hand + 1] = { id }
    return found
  end
end

local TEXTS = { [inputs.FAILED] = 'the job `%s`, which it waited for, failed', [inputs.DELETED] = 'the job `%s`, which it waited for, was deleted' }

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

-- Of jobs that wait for nothing more, {id, node, start or nil}, those that are blocked, with their records and starts. They are not blocked any more.
local function unblock_all(ready)
  local ids, records, starts, asked = {}, {}, {}, {}
  for i, one in ipairs(ready) do
    asked[i] = one[1]
  end
  local found, blocked = call('HMGET', keys.jobs, unpack(asked)), call('SMISMEMBER', rare_keys.blocked, unpack(asked))
  for i, one in ipairs(ready) do
    local id, node, start = unpack(one)
    if found[i] and blocked[i] == 1 and extras.of(found[i]).node == node then
      local n = #ids + 1
      ids[n], records[n] = id, found[i]
      starts[n] = start or values.bounded(call('HGET', keys.of('inputs', node), inputs.START), -1e15, 1e15) or 0
    end
  end
  if #ids > 0 then
    call('SREM', rare_keys.blocked, unpack(ids))
    script.in_hand[#script.in_hand + 1] = ids
  end
  return ids, records, starts
end

-- Jobs that wait for nothing more start: {id, node, start or nil}, ...
function edges.start(ready)
  if #ready > 0 then
    local ids, records, starts = unblock_all(ready)
    if #ids > 0 then
      beginnings().release(ids, records, starts)
    end
  end
end

-- Settles the edges of dependents. Returns those that wait for nothing more.
local function settle_groups(groups, nodes)
  local set, ready = {}, {}
  for i, waits in ipairs(call('HMGET', rare_keys.waits, unpack(nodes))) do
    local node = nodes[i]
    local group = groups[node]
    if waits and inputs.read(waits) then
      local value = settle_only(group, waits)
      if value then
        set[#set + 1], set[#set + 2] = node, value
      end
    elseif waits then
      settle_listed(node, group, waits)
    end
    if group.left and group.left <= 0 and not group.fails then
      ready[#ready + 1] = { group.id, node, group.start }
    end
  end
  if #set > 0 then
    call('HSET', rare_keys.waits, unpack(set))
  end
  return ready
end

local function apply(groups)
  for from = 1, #groups, NODES do
    local nodes = { unpack(groups, from, math.min(#groups, from + NODES - 1)) }
    local ready = settle_groups(groups, nodes)
    for _, node in ipairs(nodes) do
      local group = groups[node]
      if group.fails then
        budget = budget - FAILING
        edges.fail(group.id, node, group.failed_by, group.letter)
      end
    end
    edges.start(ready)
  end
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

-- Notes how jobs ended, NODES at most.
local function note_ends(ended, gone)
  store(ended, gone)
  for _, one in ipairs(ended) do
    if is_of_flow(one) then
      return flows().note(ended)
    end
  end
end

-- Settles the edges of jobs that ended in this call.
function edges.settle()
  while #pending > 0 do
    local ended, groups, gone = pending, {}, { nodes = {}, waits = {} }
    pending = {}
    for from = 1, #ended, NODES do
      note_ends({ unpack(ended, from, math.min(#ended, from + NODES - 1)) }, gone)
    end
    take_all(groups, ended)
    for from = 1, #gone.nodes, NODES do
      local to = math.min(#gone.nodes, from + NODES - 1)
      drop_all({ unpack(gone.nodes, from, to) }, { unpack(gone.waits, from, to) })
    end
    apply(groups)
  end
end

script.flush.edges = edges.settle

-- Takes entries of `settling`, within the budget. Returns the ended jobs whose dependents are to be settled; nil if there was no entry.
local function take_settling()
  local some, ended, nodes = call('LPOP', rare_keys.settling, budget), {}, {}
  for _, packed in ipairs(some or {}) do
    local entry = values.unpacked(packed)
    if type(entry) == 'table' and entry[1] == SETTLE then
      ended[#ended + 1] = { entry[2], entry[3], entry[4] }
      nodes[#ended] = entry[2]
    elseif type(entry) == 'table' and budget > 0 then
      drop(entry[2])
    elseif type(entry) == 'table' then
      push(packed)
    end
  end
  for i, used in ipairs(#nodes > 0 and call('HMGET', rare_keys.uses, unpack(nodes)) or {}) do
    ended[i].used = used
  end
  return some and ended
end

-- Continues what exceeded the limit of a call.
function edges.continue()
  while budget > 0 do
    local ended, groups = take_settling(), {}
    if not ended then
      break
    end
    take_all(groups, ended)
    apply(groups)
    edges.settle()
  end
  if call('EXISTS', rare_keys.settling) == 1 then
    call('ZADD', keys.due, clock.now, due_entries.SETTLE)
  else
    call('ZREM', keys.due, due_entries.SETTLE)
  end
end

return edges
