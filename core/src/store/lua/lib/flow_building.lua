-- Stores flows part by part: jobs before those that they wait for, so that none of them runs before its dependents exist. See staging.lua.
local beginnings = require('beginnings')
local clock = require('clock')
local dependents = require('dependents')
local due_entries = require('due_entries')
local edges = require('edges')
local extras = require('extras')
local failures = require('failures')
local flows = require('flows')
local inputs = require('inputs')
local keys = require('keys')
local meta = require('meta')
local rare_keys = require('rare_keys')
local script = require('script')
local stage_fields = require('stage_fields')
local staging = require('staging')
local values = require('values')
local watching = require('watching')
local events = lazy('events')
local call = redis.call
local flow_building = {}

-- What is known of a job of a part.
local EXISTED, STORED = 'existed', 'stored'
-- Items of a part: a job {JOB, id, record, node, 1 if the program chose the id, start, number of its dependencies, on_failure, 1 if it has options that
-- count while it waits for others}, and dependencies of one {EDGES, id, node, number of the item among those of the job, {dependency, its node or '', ...}}.
local JOB, EDGES = 'j', 'e'
-- What is stored of the ids that the program chose: {id = {record or false, whether a failed job has it, whether a result is kept}}.
local function stored_under(items)
  local ids, results, found = {}, {}, {}
  for _, item in ipairs(items) do
    if item[1] == JOB and item[5] == 1 then
      ids[#ids + 1], results[#results + 1] = item[2], due_entries.RESULT .. item[2]
    end
  end
  if #ids > 0 then
    local records, failed = call('HMGET', keys.jobs, unpack(ids)), call('ZMSCORE', keys.failed_at, unpack(ids))
    local kept = call('ZMSCORE', keys.due, unpack(results))
    for i, id in ipairs(ids) do
      found[id] = { record = records[i], failed = failed[i], kept = kept[i] }
    end
  end
  return found
end

-- Removes the data of an earlier job with this id.
local function clear(id, found)
  if found.failed then
    failures.forget({ id })
  end
  if found.kept then
    call('ZREM', keys.due, due_entries.RESULT .. id)
    call('HDEL', keys.results, id)
  end
end

-- EXISTED if another job with this id exists; STORED if it is the job itself, whose part is stored again after an error; or nil.
local function exists(item, found, nonce)
  local _, id, _, node = unpack(item)
  if not found or not found.record then
    return nil
  elseif extras.of(found.record).node == node or call('HEXISTS', staging.key(nonce), stage_fields.EXISTED .. id) == 1 then
    return STORED
  end
  watching.alias(id, found.record, node)
  call('HSET', staging.key(nonce), stage_fields.EXISTED .. id, 1)
  return EXISTED
end

-- Notes that a job waits, in `batch`. Its dependencies are stored later.
local function hold_job(batch, item)
  local _, id, _, node, _, start, number, on_failure = unpack(item)
  local waits = number
  if number == 1 and start == 0 then
    waits = inputs.only(on_failure, inputs.OPEN, '', '')
  else
    call('HSET', keys.of('inputs', node), inputs.ON_FAILURE, on_failure, inputs.START, string.format('%.0f', start))
  end
  batch.held[id] = true
  batch.blocked[#batch.blocked + 1] = id
  batch.waits[#batch.waits + 1], batch.waits[#batch.waits + 2] = node, waits
end

-- Notes a new job in `batch`.
local function store_job(batch, item)
  local _, id, record, _, _, start, number, _, counts = unpack(item)
  local n = #batch.stored
  batch.stored[n + 1], batch.stored[n + 2] = id, record
  meta.note_size(#record)
  if number > 0 then
    hold_job(batch, item)
  end
  if number == 0 or counts == 1 or clock.recording then
    n = #batch.ids + 1
    batch.ids[n], batch.records[n], batch.starts[n] = id, record, start
  end
end

local function write_jobs(batch)
  -- First: a job that is not blocked could be queued by the sweep.
  if #batch.blocked > 0 then
    call('HSET', rare_keys.waits, unpack(batch.waits))
    call('SADD', rare_keys.blocked, unpack(batch.blocked))
  end
  if #batch.stored > 0 then
    call('HSET', keys.jobs, unpack(batch.stored))
    meta.count('added', #batch.stored / 2)
    if clock.recording then
      events().added(batch.stored)
    end
  end
end

-- Stores the jobs of a part. Returns those of which options are to be processed: ids, records, starts, and which wait for others.
local function store_jobs(items, nonce, flow)
  local batch = { ids = {}, records = {}, starts = {}, held = {}, stored = {}, waits = {}, blocked = {} }
  local states, foreign, under = {}, 0, stored_under(items)
  for _, item in ipairs(items) do
    if item[1] == JOB then
      local id = item[2]
      local existed = exists(item, under[id], nonce)
      if not existed or existed == EXISTED then
        states[#states + 1], states[#states + 2] = id, existed and flows.FOREIGN or flows.OPEN
      end
      if existed == EXISTED then
        foreign = foreign + 1
      elseif not existed then
        if under[id] then
          clear(id, under[id])
        end
        store_job(batch, item)
      end
    end
  end
  write_jobs(batch)
  if flow ~= '' and #states > 0 then
    call('HSET', flows.key(flow), unpack(states))
    if foreign > 0 then
      flows.leave_out(flow, foreign)
    end
  end
  return batch.ids, batch.records, batch.starts, batch.held
end

-- The nodes of dependencies: those outside of the flow were noted when they were held.
local function nodes_of(list, nonce)
  local nodes = {}
  for i = 1, #list, 2 do
    nodes[#nodes + 1] = list[i + 1] ~= '' and list[i + 1] or call('HGET', staging.key(nonce), stage_fields.OUTSIDE .. list[i]) or ''
  end
  return nodes
end

-- Stores dependencies of a job that has several. Appends those that have ended to `known`; `change`: how often nodes are used more.
local function store_edges(item, nonce, known, change)
  local _, id, node, _, list = unpack(item)
  local key, fields, nodes = keys.of('inputs', node), {}, nodes_of(list, nonce)
  local outcomes = call('HMGET', rare_keys.outputs, unpack(nodes))
  for i, other in ipairs(nodes) do
    local dependency = list[2 * i - 1]
    if call('HEXISTS', key, dependency) == 0 then
      fields[#fields + 1], fields[#fields + 2] = dependency, inputs.OPEN .. other
      change[other] = (change[other] or 0) + 1
      if outcomes[i] then
        known[#known + 1] = { node, id, other, dependency, string.sub(outcomes[i], 1, 1) }
      else
        call('RPUSH', keys.of('after', other), dependents.entry(node, id))
      end
    end
  end
  if #fields > 0 then
    call('HSET', key, unpack(fields))
  end
end

-- The same for jobs with one dependency each: {item, value in `waits`}, ...
local function store_only_edges(singles, nonce, known, change)
  local others, waits, uses = {}, {}, {}
  for i, one in ipairs(singles) do
    others[i] = nodes_of(one[1][5], nonce)[1]
  end
  local used, outcomes = call('HMGET', rare_keys.uses, unpack(others)), call('HMGET', rare_keys.outputs, unpack(others))
  local new = {}
  for i, one in ipairs(singles) do
    local _, id, node, _, list = unpack(one[1])
    local on_failure, _, stored = inputs.read(one[2])
    local other = others[i]
    if stored == '' then
      waits[#waits + 1], waits[#waits + 2] = node, inputs.only(on_failure, inputs.OPEN, other, list[1])
      if not used[i] and not new[other] then
        new[other] = true
        uses[#uses + 1], uses[#uses + 2] = other, dependents.only(dependents.entry(node, id))
      else
        change[other] = (change[other] or 0) + 1
        if outcomes[i] then
          known[#known + 1] = { node, id, other, list[1], string.sub(outcomes[i], 1, 1) }
        else
          call('RPUSH', keys.of('after', other), dependents.entry(node, id))
        end
      end
    end
  end
  if #waits > 0 then
    call('HSET', rare_keys.waits, unpack(waits))
  end
  if #uses > 0 then
    call('HSET', rare_keys.uses, unpack(uses))
  end
end

-- Stores dependencies of the jobs that wait: others existed, or were deleted.
local function store_all_edges(items, nonce, known, change)
  local nodes, singles = {}, {}
  for i, item in ipairs(items) do
    nodes[i] = item[3]
  end
  for i, waits in ipairs(call('HMGET', rare_keys.waits, unpack(nodes))) do
    if waits and inputs.read(waits) then
      singles[#singles + 1] = { items[i], waits }
    elseif waits then
      store_edges(items[i], nonce, known, change)
    end
  end
  if #singles > 0 then
    store_only_edges(singles, nonce, known, change)
  end
end

-- Dependencies as they are shown, in a field for each part: {id, {dependency, ...}, ...}.
local function note_edges(items, flow, number)
  local listed = {}
  for _, item in ipairs(items) do
    local names = {}
    for i = 1, #item[5], 2 do
      names[#names + 1] = item[5][i]
    end
    listed[#listed + 1], listed[#listed + 2] = item[2], names
  end
  call('HSET', keys.of('flow_edges', flow), number, cmsgpack.pack(listed))
end

-- `number`: that of the part.
local function store_part(part, number, nonce, flow)
  local known, change, items = {}, {}, {}
  local ids, records, starts, held = store_jobs(part, nonce, flow)
  for _, item in ipairs(part) do
    if item[1] == EDGES then
      items[#items + 1] = item
    end
  end
  if #items > 0 then
    store_all_edges(items, nonce, known, change)
    if flow ~= '' then
      note_edges(items, flow, number)
    end
  end
  dependents.use(change)
  if #ids > 0 then
    script.in_hand[#script.in_hand + 1] = ids
    beginnings.start(ids, records, starts, held)
  end
  edges.settle_known(known)
end

-- All is stored. Returns the answer, which is kept for `ttl` ms.
local function finish(nonce, ttl)
  local _, existed = staging.read_notes(nonce)
  staging.remove(nonce)
  return staging.keep_answer(nonce, cmsgpack.pack({ 0, existed }), ttl)
end

local EXISTS = cmsgpack.pack({ 1 })

-- Creates the flow, if it has an id. `header`: {flow or '', cancel_rest, number of jobs, ttl of the answer in ms}. Returns an answer if it exists.
local function create(nonce, header)
  local flow, cancel, number, ttl = unpack(header)
  if flow ~= '' and not flows.create(flow, cancel, number) then
    return staging.keep_answer(nonce, EXISTS, ttl)
  end
end

-- Stores a flow that came in one call.
function flow_building.add(nonce, header, outside, part)
  local answer = create(nonce, header)
  if answer then
    return answer
  end
  if #outside > 0 then
    staging.hold(nonce, outside, 0)
  end
  store_part(part, 0, nonce, header[1])
  return finish(nonce, header[4])
end

-- All parts have come: from now on the flow is stored, whatever becomes of its producer. Returns an answer if the flow exists, false if parts are
-- missing.
function flow_building.commit(nonce, parts, packed_header)
  local key = staging.key(nonce)
  if call('HEXISTS', key, stage_fields.NEXT) == 1 then
    return ''
  elseif call('HEXISTS', key, 0) == 0 or call('HEXISTS', key, parts - 1) == 0 then
    return false
  end
  local answer = create(nonce, cmsgpack.unpack(packed_header))
  if answer then
    staging.remove(nonce)
    return answer
  end
  call('HSET', key, stage_fields.NEXT, 0, stage_fields.PARTS, parts, stage_fields.HEADER, packed_header)
  call('ZADD', keys.due, clock.now, due_entries.STAGE .. nonce)
  return ''
end

-- Stores the next part. Returns the answer after the last, '' before, false if there is no such flow.
function flow_building.build(nonce)
  local key = staging.key(nonce)
  local at, parts, packed_header = unpack(call('HMGET', key, stage_fields.NEXT, stage_fields.PARTS, stage_fields.HEADER))
  at, parts = values.bounded(at, 0, 1e6), values.bounded(parts, 1, 1e6)
  if not at or not parts or not packed_header then
    return false
  end
  local header, part = cmsgpack.unpack(packed_header), call('HGET', key, at)
  if part then
    store_part(cmsgpack.unpack(part), at, nonce, header[1])
    call('HDEL', key, at)
  end
  call('HSET', key, stage_fields.NEXT, at + 1)
  if at + 1 >= parts then
    return finish(nonce, header[4])
  end
  call('ZADD', keys.due, clock.now, due_entries.STAGE .. nonce)
  return ''
end

-- An entry of `due`.
function flow_building.expire(nonce)
  if call('HEXISTS', staging.key(nonce), stage_fields.NEXT) == 1 then
    flow_building.build(nonce)
    return
  end
  call('ZREM', keys.due, due_entries.STAGE .. nonce)
  if call('HDEL', rare_keys.flow_answers, nonce) == 0 then
    staging.remove(nonce)
  end
end

return flow_building
