-- Adding of jobs that wait for others. A flow that is too large for one call is sent in parts, which are kept in `stage:<nonce>`. After the last part
-- it is stored part by part: jobs before those that they wait for, so that none of them runs before its dependents exist.
local beginnings = require('beginnings')
local clock = require('clock')
local due_entries = require('due_entries')
local edges = require('edges')
local extras = require('extras')
local failures = require('failures')
local flows = require('flows')
local keys = require('keys')
local meta = require('meta')
local rare_keys = require('rare_keys')
local script = require('script')
local values = require('values')
local watching = require('watching')
local events = lazy('events')
local call = redis.call
local flow_stages = {}

-- Fields of `stage:<nonce>` besides the parts, which have numbers: the next part to store, the number of parts, the header, and before the id of a job
-- that existed, and before that of a job outside of the flow.
local NEXT, PARTS, HEADER, EXISTED, OUTSIDE = 'next', 'parts', 'header', 'e:', 'o:'
local STORED = 'stored'
-- Items of a part: a job {JOB, id, record, node, 1 if the program chose the id, start, number of its dependencies, on_failure}, and dependencies of
-- one {EDGES, id, node, number of the item among those of the job, {dependency, its node or '', ...}}.
local JOB, EDGES = 'j', 'e'
-- Parts that are not completed are removed after this time, in ms.
local ABANDONED = 60000

local function stage_key(nonce)
  return keys.of('stage', nonce)
end

-- The first of the ids that is unknown, or nil.
function flow_stages.unknown(ids)
  for _, id in ipairs(ids) do
    if not watching.is_known(id) then
      return id
    end
  end
end

-- Holds jobs outside of the flow, from position `from` on: their outcomes are kept until the edges to them are stored.
function flow_stages.hold(nonce, ids, from)
  local key = stage_key(nonce)
  call('HSETNX', rare_keys.stages, nonce, '')
  call('ZADD', keys.due, clock.now + ABANDONED, due_entries.STAGE .. nonce)
  for i, id in ipairs(ids) do
    if call('HEXISTS', key, OUTSIDE .. id) == 0 then
      call('HSET', key, OUTSIDE .. id, watching.hold(id, string.format('%so%d', nonce, from + i)))
    end
  end
end

-- Keeps a part of a flow.
function flow_stages.stage(nonce, number, part)
  call('HSETNX', rare_keys.stages, nonce, '')
  call('ZADD', keys.due, clock.now + ABANDONED, due_entries.STAGE .. nonce)
  call('HSET', stage_key(nonce), number, part)
end

-- Removes the data of an earlier job with this id.
local function clear(id)
  if call('ZSCORE', keys.failed_at, id) then
    failures.forget({ id })
  end
  if call('ZREM', keys.due, due_entries.RESULT .. id) == 1 then
    call('HDEL', keys.results, id)
  end
end

-- EXISTED if another job with this id exists; STORED if it is the job itself, whose part is stored again after an error; or nil.
local function exists(item, nonce)
  local _, id, _, node, own = unpack(item)
  local found = own == 1 and call('HGET', keys.jobs, id)
  if not found then
    return nil
  elseif extras.of(found).node == node or call('HEXISTS', stage_key(nonce), EXISTED .. id) == 1 then
    return STORED
  end
  watching.alias(id, found, node)
  call('HSET', stage_key(nonce), EXISTED .. id, 1)
  return EXISTED
end

-- Stores the jobs of a part. Returns those to start: ids, records, starts, and which wait for others.
local function store_jobs(items, nonce, flow)
  local ids, records, starts, held, stored, states = {}, {}, {}, {}, {}, {}
  local foreign = 0
  for _, item in ipairs(items) do
    if item[1] == JOB then
      local _, id, record, node, own, start, number, on_failure = unpack(item)
      local existed = exists(item, nonce)
      if not existed or existed == EXISTED then
        states[#states + 1], states[#states + 2] = id, existed and flows.FOREIGN or flows.OPEN
      end
      if existed == EXISTED then
        foreign = foreign + 1
      elseif not existed then
        if own == 1 then
          clear(id)
        end
        local n = #ids + 1
        ids[n], records[n], starts[n] = id, record, start
        stored[2 * n - 1], stored[2 * n] = id, record
        meta.note_size(#record)
        if number > 0 then
          held[id] = true
          call('HSET', keys.of('inputs', node), edges.ON_FAILURE, on_failure, edges.START, string.format('%.0f', start))
          call('HSET', rare_keys.waits, node, number)
          call('SADD', rare_keys.blocked, id)
        end
      end
    end
  end
  if #stored > 0 then
    call('HSET', keys.jobs, unpack(stored))
    meta.count('added', #ids)
    if clock.recording then
      events().added(stored)
    end
  end
  if flow ~= '' and #states > 0 then
    call('HSET', flows.key(flow), unpack(states))
    if foreign > 0 then
      flows.leave_out(flow, foreign)
    end
  end
  return ids, records, starts, held
end

-- The nodes of dependencies: those outside of the flow were noted when they were held.
local function nodes_of(list, nonce)
  local nodes = {}
  for i = 1, #list, 2 do
    nodes[#nodes + 1] = list[i + 1] ~= '' and list[i + 1] or call('HGET', stage_key(nonce), OUTSIDE .. list[i]) or ''
  end
  return nodes
end

-- Stores some dependencies of a job. Appends those that have ended to `known`; `change`: how often nodes are used more.
local function store_edges(item, nonce, known, change)
  local _, id, node, _, list = unpack(item)
  local key, fields, nodes = keys.of('inputs', node), {}, nodes_of(list, nonce)
  if not call('HGET', rare_keys.waits, node) then
    -- The job existed, or was deleted.
    return
  end
  local outcomes = call('HMGET', rare_keys.outputs, unpack(nodes))
  for i, other in ipairs(nodes) do
    local dependency = list[2 * i - 1]
    if call('HEXISTS', key, dependency) == 0 then
      fields[#fields + 1], fields[#fields + 2] = dependency, edges.OPEN .. other
      change[other] = (change[other] or 0) + 1
      if outcomes[i] then
        known[#known + 1] = { node, id, other, dependency, string.sub(outcomes[i], 1, 1) }
      else
        call('RPUSH', keys.of('after', other), node .. ':' .. id)
      end
    end
  end
  if #fields > 0 then
    call('HSET', key, unpack(fields))
  end
end

-- Dependencies of jobs as they are shown.
local function note_edges(item, flow)
  local names = {}
  for i = 1, #item[5], 2 do
    names[#names + 1] = item[5][i]
  end
  call('HSET', keys.of('flow_edges', flow), item[2] .. '\1' .. item[4], cmsgpack.pack(names))
end

local function store_part(part, nonce, flow)
  local known, change = {}, {}
  local ids, records, starts, held = store_jobs(part, nonce, flow)
  for _, item in ipairs(part) do
    if item[1] == EDGES then
      store_edges(item, nonce, known, change)
      if flow ~= '' then
        note_edges(item, flow)
      end
    end
  end
  edges.use(change)
  script.in_hand[#script.in_hand + 1] = ids
  beginnings.start(ids, records, starts, held)
  edges.settle_known(known)
end

-- Jobs outside of the flow, and those of the flow that existed.
local function read_notes(nonce)
  local change, existed, listed = {}, {}, call('HGETALL', stage_key(nonce))
  for i = 1, #listed, 2 do
    local kind, id = string.sub(listed[i], 1, 2), string.sub(listed[i], 3)
    if kind == OUTSIDE then
      change[listed[i + 1]] = (change[listed[i + 1]] or 0) - 1
    elseif kind == EXISTED then
      existed[#existed + 1] = id
    end
  end
  return change, existed
end

local function remove(nonce)
  local change = read_notes(nonce)
  edges.use(change)
  call('UNLINK', stage_key(nonce))
  call('HDEL', rare_keys.stages, nonce)
end

-- All is stored: keeps the answer, in case that the reply is lost. `ttl` in ms.
local function finish(nonce, ttl)
  local _, existed = read_notes(nonce)
  remove(nonce)
  local answer = cmsgpack.pack({ 0, existed })
  call('HSET', rare_keys.flow_answers, nonce, answer)
  call('ZADD', keys.due, clock.now + ttl, due_entries.STAGE .. nonce)
  return answer
end

-- The answer of a call that is repeated, or false.
function flow_stages.answer(nonce)
  return call('HGET', rare_keys.flow_answers, nonce)
end

local EXISTS = cmsgpack.pack({ 1 })

-- Creates the flow, if it has an id. `header`: {flow or '', cancel_rest, number of jobs, ttl of the answer in ms}. Returns an answer if it exists.
local function create(nonce, header)
  local flow, cancel, number, ttl = unpack(header)
  if flow ~= '' and not flows.create(flow, cancel, number) then
    call('HSET', rare_keys.flow_answers, nonce, EXISTS)
    call('ZADD', keys.due, clock.now + ttl, due_entries.STAGE .. nonce)
    return EXISTS
  end
end

-- Stores a flow that came in one call.
function flow_stages.add(nonce, header, outside, part)
  local answer = create(nonce, header)
  if answer then
    return answer
  end
  if #outside > 0 then
    flow_stages.hold(nonce, outside, 0)
  end
  store_part(part, nonce, header[1])
  return finish(nonce, header[4])
end

-- All parts have come: from now on the flow is stored, whatever becomes of its producer. Returns an answer if the flow exists, false if parts are
-- missing.
function flow_stages.commit(nonce, parts, packed_header)
  local key = stage_key(nonce)
  if call('HEXISTS', key, NEXT) == 1 then
    return ''
  elseif call('HEXISTS', key, 0) == 0 or call('HEXISTS', key, parts - 1) == 0 then
    return false
  end
  local answer = create(nonce, cmsgpack.unpack(packed_header))
  if answer then
    remove(nonce)
    return answer
  end
  call('HSET', key, NEXT, 0, PARTS, parts, HEADER, packed_header)
  call('ZADD', keys.due, clock.now, due_entries.STAGE .. nonce)
  return ''
end

-- Stores the next part. Returns the answer after the last, '' before, false if there is no such flow.
function flow_stages.build(nonce)
  local key = stage_key(nonce)
  local at, parts, packed_header = unpack(call('HMGET', key, NEXT, PARTS, HEADER))
  at, parts = values.bounded(at, 0, 1e6), values.bounded(parts, 1, 1e6)
  if not at or not parts or not packed_header then
    return false
  end
  local header, part = cmsgpack.unpack(packed_header), call('HGET', key, at)
  if part then
    store_part(cmsgpack.unpack(part), nonce, header[1])
    call('HDEL', key, at)
  end
  call('HSET', key, NEXT, at + 1)
  if at + 1 >= parts then
    return finish(nonce, header[4])
  end
  call('ZADD', keys.due, clock.now, due_entries.STAGE .. nonce)
  return ''
end

-- Removes what was staged: the producer gave up, or is gone.
function flow_stages.drop(nonce)
  if call('HEXISTS', stage_key(nonce), NEXT) == 0 then
    remove(nonce)
    if not flow_stages.answer(nonce) then
      call('ZREM', keys.due, due_entries.STAGE .. nonce)
    end
  end
end

-- An entry of `due`.
function flow_stages.expire(nonce)
  if call('HEXISTS', stage_key(nonce), NEXT) == 1 then
    flow_stages.build(nonce)
    return
  end
  call('ZREM', keys.due, due_entries.STAGE .. nonce)
  if call('HDEL', rare_keys.flow_answers, nonce) == 0 then
    remove(nonce)
  end
end

return flow_stages
