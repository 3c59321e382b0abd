-- Flows, and what jobs get of those that they waited for, as inspections return them.
local extras = require('extras')
local inputs = require('inputs')
local keys = require('keys')
local limits = require('limits')
local rare_keys = require('rare_keys')
local call = redis.call
local sub = string.sub
local flow_pages = {}

-- Fields read at once; of the edges, which are parts of up to a hundred jobs.
local PAGE, PARTS = 500, 8
-- Fields of `flow:<id>` as in flows.lua, which writes: this module is loaded where nothing may be written.
local CANCEL, OPEN, FOREIGN = '\1c', '', '='
local STATES = { c = 'completed', f = 'failed', d = 'deleted' }

-- The flow with this id, or that of the job with this id.
local function find(id)
  if call('HEXISTS', rare_keys.flows, id) == 1 then
    return id
  end
  local found = call('HGET', keys.jobs, id)
  if not found then
    local readable, entry = pcall(cmsgpack.unpack, call('HGET', keys.failed, id) or '')
    found = readable and type(entry) == 'table' and entry[5]
  end
  local flow = type(found) == 'string' and extras.of(found).flow
  return flow and flow ~= '' and call('HEXISTS', rare_keys.flows, flow) == 1 and flow or nil
end

local function state(id, noted, state_of)
  if noted ~= OPEN and noted ~= FOREIGN then
    return STATES[noted] or 'deleted'
  end
  local held = call('HGET', keys.owner, id)
  if call('HEXISTS', keys.jobs, id) == 1 then
    return (state_of(id, held))
  end
  -- Of a job that existed before, only the failure may be known.
  return call('HEXISTS', keys.failed, id) == 1 and 'failed' or noted == FOREIGN and 'completed' or 'waiting'
end

-- The edges of the flow, by job; a job may have several lists.
local function edges_page(flow, cursor)
  local scanned = call('HSCAN', keys.of('flow_edges', flow), cursor, 'COUNT', PARTS)
  local listed = {}
  for i = 2, #scanned[2], 2 do
    for _, one in ipairs(cmsgpack.unpack(scanned[2][i])) do
      listed[#listed + 1] = one
    end
  end
  return scanned[1], listed
end

-- A page. The cursor is `j` or `e` and that of the scan: first the jobs, then the edges.
function flow_pages.flow(id, cursor, state_of)
  local flow = find(id)
  if not flow then
    return nil
  end
  local key = keys.of('flow', flow)
  local part, at = string.match(cursor, '^([je])(%d+)$')
  local answer = { flow, '', call('HGET', key, CANCEL) or '0', {}, {} }
  if part == 'e' then
    local next_at, listed = edges_page(flow, at)
    answer[2], answer[5] = next_at ~= '0' and 'e' .. next_at or '', listed
    return answer
  end
  local scanned = call('HSCAN', key, at or '0', 'COUNT', PAGE)
  local jobs = answer[4]
  for i = 1, #scanned[2], 2 do
    local name = scanned[2][i]
    if sub(name, 1, 1) ~= '\1' then
      jobs[#jobs + 1], jobs[#jobs + 2] = name, state(name, scanned[2][i + 1], state_of)
    end
  end
  answer[2] = scanned[1] ~= '0' and 'j' .. scanned[1] or 'e0'
  return answer
end

-- A page of the dependencies of a job.
function flow_pages.inputs(node, cursor)
  local on_failure, letter, other, dependency = inputs.read(call('HGET', rare_keys.waits, node) or '')
  if on_failure then
    return { '', on_failure, dependency, letter .. other }
  end
  local key = keys.of('inputs', node)
  local scanned = call('HSCAN', key, cursor == '' and '0' or cursor, 'COUNT', PAGE)
  local answer = { scanned[1] ~= '0' and scanned[1] or '', call('HGET', key, inputs.ON_FAILURE) or '0' }
  for i = 1, #scanned[2], 2 do
    if sub(scanned[2][i], 1, 1) ~= '\1' then
      answer[#answer + 1], answer[#answer + 2] = scanned[2][i], scanned[2][i + 1]
    end
  end
  return answer
end

function flow_pages.outputs(nodes)
  local answer, bytes = {}, 0
  for i, node in ipairs(nodes) do
    bytes = bytes + call('HSTRLEN', rare_keys.outputs, node)
    if i > 1 and bytes > limits.BYTES then
      break
    end
    answer[i] = call('HGET', rare_keys.outputs, node) or ''
  end
  return answer
end

return flow_pages
