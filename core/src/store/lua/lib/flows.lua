-- Flows: the jobs that were added together, and how each ended. `flow:<id>` is kept for a time after the last has ended.
local clock = require('clock')
local deletion = require('deletion')
local due_entries = require('due_entries')
local extras = require('extras')
local inbox = require('inbox')
local inbox_kinds = require('inbox_kinds')
local keys = require('keys')
local rare_keys = require('rare_keys')
local values = require('values')
local call = redis.call
local sub = string.sub

local flows = {
  -- Fields of `flow:<id>` that are no ids: jobs that have not ended, what a failure does, and where the search for jobs to delete continues.
  LEFT = '\1n',
  CANCEL = '\1c',
  CURSOR = '\1k',
  -- States of jobs in it: not ended; existed before, so that its end is not noted here.
  OPEN = '',
  FOREIGN = '=',
  -- Values of CANCEL.
  KEEP_REST = '0',
  CANCEL_REST = '1',
  CANCELLED = '2',
}
-- How long a flow is kept after its last job, in ms.
local KEPT = 3600000
-- Jobs looked at, and deleted, in one call; and how long it takes until all are looked at again when none of them was there, in ms.
local PAGE, AGAIN = 50, 100

function flows.key(flow)
  return keys.of('flow', flow)
end

function flows.is_cancelled(flow)
  return call('HGET', flows.key(flow), flows.CANCEL) == flows.CANCELLED
end

local function wake()
  for _, inc in ipairs(call('SRANDMEMBER', keys.members, 2)) do
    inbox.post(inc, inbox_kinds.WAKE, '')
  end
end

-- Changes the number of jobs that have not ended; returns it.
local function change_left(key, by)
  local left = (values.bounded(call('HGET', key, flows.LEFT), 0, 1e9) or 0) + by
  call('HSET', key, flows.LEFT, left)
  return left
end

-- Notes how jobs of one flow ended: letters by id.
local function note_in(flow, ids, letters)
  local key, set, failed = flows.key(flow), {}, false
  for i, state in ipairs(call('HMGET', key, unpack(ids))) do
    if state == flows.OPEN then
      set[#set + 1], set[#set + 2] = ids[i], letters[i]
      failed = failed or letters[i] == 'f'
    end
  end
  if #set == 0 then
    return
  end
  call('HSET', key, unpack(set))
  if change_left(key, -#set / 2) <= 0 then
    call('ZADD', keys.due, clock.now + KEPT, due_entries.FLOW .. flow)
  elseif failed and call('HGET', key, flows.CANCEL) == flows.CANCEL_REST then
    call('HSET', key, flows.CANCEL, flows.CANCELLED, flows.CURSOR, '0')
    call('ZADD', keys.due, clock.now, due_entries.FLOW .. flow)
    wake()
  end
end

-- Notes ends of jobs: {node, id, letter, outcome, flow}, ...
function flows.note(ended)
  local by_flow = {}
  for _, one in ipairs(ended) do
    local flow = one[5]
    if flow and flow ~= '' then
      local group = by_flow[flow] or { ids = {}, letters = {} }
      by_flow[flow] = group
      group.ids[#group.ids + 1], group.letters[#group.letters + 1] = one[2], one[3]
    end
  end
  for flow, group in pairs(by_flow) do
    note_in(flow, group.ids, group.letters)
  end
end

-- A job that had ended runs again.
function flows.reopen(flow, id)
  local key = flows.key(flow)
  local state = call('HGET', key, id)
  if state and state ~= flows.OPEN and state ~= flows.FOREIGN then
    call('HSET', key, id, flows.OPEN)
    change_left(key, 1)
    if call('HGET', key, flows.CANCEL) == flows.CANCELLED then
      call('HSET', key, flows.CANCEL, flows.CANCEL_REST)
    end
    call('ZREM', keys.due, due_entries.FLOW .. flow)
  end
end

-- So many jobs of the flow existed before: their ends are not noted.
function flows.leave_out(flow, number)
  if change_left(flows.key(flow), -number) <= 0 then
    call('ZADD', keys.due, clock.now + KEPT, due_entries.FLOW .. flow)
  end
end

-- Creates a flow of so many jobs; whether there was none.
function flows.create(flow, cancel, number)
  if call('HSETNX', rare_keys.flows, flow, string.format('%.0f', clock.wall)) == 0 then
    return false
  end
  call('HSET', flows.key(flow), flows.LEFT, number, flows.CANCEL, cancel)
  return true
end

-- Of the jobs that have not ended, those that exist, and those whose end was not noted because data was lost.
local function open_jobs(flow, scanned)
  local there, lost = {}, {}
  for i = 1, #scanned, 2 do
    if sub(scanned[i], 1, 1) ~= '\1' and scanned[i + 1] == flows.OPEN then
      local found = call('HGET', keys.jobs, scanned[i])
      local list = found and extras.of(found).flow == flow and there or lost
      list[#list + 1] = scanned[i]
    end
  end
  return there, lost
end

-- Deletes some of the jobs that have not ended.
local function cancel(flow, key)
  local scanned = call('HSCAN', key, call('HGET', key, flows.CURSOR) or '0', 'COUNT', PAGE)
  local there, lost = open_jobs(flow, scanned[2])
  for from = 1, #there, PAGE do
    deletion.delete({ unpack(there, from, math.min(#there, from + PAGE - 1)) })
  end
  -- While the flow is still being stored, jobs that are not there yet are found later.
  if #lost > 0 and call('EXISTS', rare_keys.stages) == 0 then
    local letters = {}
    for i = 1, #lost do
      letters[i] = 'd'
    end
    note_in(flow, lost, letters)
  end
  call('HSET', key, flows.CURSOR, scanned[1])
  if (values.bounded(call('HGET', key, flows.LEFT), 0, 1e9) or 0) > 0 then
    local pause = scanned[1] == '0' and #there == 0 and AGAIN or 0
    call('ZADD', keys.due, clock.now + pause, due_entries.FLOW .. flow)
  end
end

function flows.remove(flow)
  call('UNLINK', flows.key(flow), keys.of('flow_edges', flow))
  call('HDEL', rare_keys.flows, flow)
  call('ZREM', keys.due, due_entries.FLOW .. flow)
end

-- An entry of `due`: the jobs that are left are deleted, or the flow is forgotten.
function flows.expire(flow)
  local key = flows.key(flow)
  local left, how = unpack(call('HMGET', key, flows.LEFT, flows.CANCEL))
  if how == flows.CANCELLED and (values.bounded(left, 1, 1e9) or 0) > 0 then
    cancel(flow, key)
  else
    flows.remove(flow)
  end
end

return flows
