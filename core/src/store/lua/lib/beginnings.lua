-- Starts jobs with extras: timeouts, delays, resources and unique keys.
local clock = require('clock')
local delays = require('delays')
local due_entries = require('due_entries')
local event_kinds = require('event_kinds')
local extras = require('extras')
local inbox = require('inbox')
local inbox_kinds = require('inbox_kinds')
local keys = require('keys')
local matching = require('matching')
local positions_skipped = require('positions')
local resources = require('resources')
local script = require('script')
local special = require('special')
local workers = require('workers')
local events = lazy('events')
local flows = lazy('flows')
local watching = lazy('watching')
local unique_keys = lazy('unique_keys')
local call = redis.call
local beginnings = {}

-- `start` is 0 (now), a pause in ms, or below 0 the negated time of day in ms since 1970, on the server's clock.
local function pause_of(start)
  return start < 0 and math.max(0, -start - clock.wall) or start
end

-- Data gathered for several jobs: scores and entries of `due`, ids of ephemeral jobs, and the first due time with the task of its job.
local function new_batch()
  return { timeouts = {}, ephemeral = {}, soonest = nil, soonest_task = nil }
end

local function note_due(batch, at, task)
  if not batch.soonest or at < batch.soonest then
    batch.soonest, batch.soonest_task = at, task
  end
end

local function note_timeout(batch, kind, id, pause, task)
  batch.timeouts[#batch.timeouts + 1] = clock.now + pause
  batch.timeouts[#batch.timeouts + 1] = kind .. id
  note_due(batch, clock.now + pause, task)
end

local function delay(batch, id, pause, task)
  local due = delays.delay(id, pause)
  note_due(batch, due, task)
  if clock.recording then
    events().delayed(id, task, due)
  end
end

-- Starts a job with extras. Returns whether it must wait. `pause` in ms. `held`: it waits for other jobs; `release` continues.
local function begin_one(batch, id, extra, pause, held)
  if extra.ephemeral_of then
    batch.ephemeral[#batch.ephemeral + 1] = id
  end
  if extra.total_timeout then
    note_timeout(batch, due_entries.TOTAL_TIMEOUT, id, extra.total_timeout, extra.task)
  end
  if held then
    if clock.recording then
      events().blocked(events().BY_JOBS, '', id, extra.task)
    end
    return true
  end
  if extra.assign_timeout then
    note_timeout(batch, due_entries.ASSIGN_TIMEOUT, id, pause + extra.assign_timeout, extra.task)
  end
  if extra.unique and unique_keys().begin(id, extra) then
    if clock.recording then
      events().blocked(events().BY_UNIQUE, extra.unique, id, extra.task)
    end
    return true
  elseif pause > 0 then
    delay(batch, id, pause, extra.task)
    return true
  end
  return false
end

-- Members sleep until the time that was the first due entry before: wakes a worker, in case the caller leaves meanwhile. Returns when the first
-- timeout of the batch is due if that is the next due entry.
local function wake_for(batch)
  if not batch.soonest then
    return nil
  end
  local first = tonumber(call('ZRANGE', keys.due, 0, 0, 'WITHSCORES')[2]) or batch.soonest
  if first < batch.soonest then
    return nil
  end
  local worker = call('ZRANGE', workers.load_of(batch.soonest_task), 0, 0)[1]
  if worker then
    inbox.post(worker, inbox_kinds.WAKE, '')
  end
  return batch.soonest
end

-- As above, for jobs that this call blocked at limits. `soonest` is the due time of other jobs, if any.
function beginnings.wake_for_limits(soonest)
  local due = wake_for({ soonest = script.soonest, soonest_task = script.soonest_task })
  return due and soonest and math.min(due, soonest) or due or soonest
end

-- Starts jobs with extras and their timeouts. Ephemeral jobs belong to `inc`, or to no member if it is nil. Returns a set of the ids that must wait,
-- and when the next entry is due if it is of these jobs. Changes records. `held`: a set of ids that wait for other jobs.
local function begin(ids, records, starts, inc, held)
  local waiting, batch = {}, new_batch()
  for i, id in ipairs(ids) do
    local extra = extras.of(records[i])
    if extra.ephemeral_of and extra.ephemeral_of ~= inc then
      -- The record was written for an earlier incarnation of the member.
      records[i] = extras.with_member(records[i], extra, inc)
      call('HSET', keys.jobs, id, records[i])
      extra = extras.of(records[i])
    end
    waiting[id] = begin_one(batch, id, extra, pause_of(starts[i]), held and held[id]) or waiting[id]
  end
  if #batch.ephemeral > 0 then
    call('SADD', keys.of('ephemeral', inc), unpack(batch.ephemeral))
  end
  if #batch.timeouts > 0 then
    call('ZADD', keys.due, unpack(batch.timeouts))
  end
  return waiting, wake_for(batch)
end

-- The jobs that can be queued now, by queue.
local function batches_of(all, queues_of, skip, waiting)
  local batches = {}
  for _, queue in ipairs(queues_of) do
    local priority, task, positions, grouped = unpack(queue)
    local batch = { priority = priority, task = task, grouped = grouped == 1, ids = {}, records = {}, orders = {} }
    for _, position in ipairs(positions) do
      local id = all[2 * position - 1]
      if not skip[position] and not waiting[id] then
        local n = #batch.ids + 1
        batch.ids[n], batch.records[n], batch.orders[n] = id, all[2 * position], special.sequence + position
      end
    end
    if #batch.ids > 0 then
      batches[#batches + 1] = batch
    end
  end
  return batches
end

-- Adds new jobs that are stored already. all: id, record, ...; queues_of: priority, task, positions of the jobs, and 1 if these have groups, of each
-- queue; careful: position and start of jobs with extras or a start. Positions marked in `skip` are skipped (EXISTED), or started but queued only when
-- an earlier execution has stopped (LATER). Returns when the next entry is due, if it is of these jobs.
function beginnings.add(all, queues_of, careful, skip, inc)
  local ids, records, starts, positions = {}, {}, {}, {}
  for i = 1, #careful, 2 do
    local position = careful[i]
    if skip[position] ~= positions_skipped.EXISTED then
      local n = #ids + 1
      ids[n], records[n], starts[n], positions[n] = all[2 * position - 1], all[2 * position], careful[i + 1], position
    end
  end
  local waiting, soonest = {}, nil
  if #ids > 0 then
    waiting, soonest = begin(ids, records, starts, inc)
  end
  for i, position in ipairs(positions) do
    all[2 * position] = records[i]
  end
  resources.settle()
  matching.take_in(batches_of(all, queues_of, skip, waiting), #all / 2, false)
  return soonest
end

-- Starts jobs that are stored already. `held`: a set of ids that wait for other jobs.
function beginnings.start(ids, records, starts, held)
  local waiting = begin(ids, records, starts, nil, held)
  local there, there_records = {}, {}
  for i, id in ipairs(ids) do
    if not waiting[id] then
      there[#there + 1], there_records[#there_records + 1] = id, records[i]
    end
  end
  there, there_records = delays.without_owner(there, there_records)
  matching.enqueue(there, there_records, false)
end

-- Starts failed jobs again, as if they were new; they are stored already.
function beginnings.revive(ids, records)
  local starts, held = {}, {}
  for i, id in ipairs(ids) do
    starts[i] = 0
    local extra = extras.of(records[i])
    if clock.recording then
      events().note(event_kinds.RETRYING, id, extra.task)
    end
    if extra.node then
      held[id] = watching().reopen(id, extra)
      if extra.flow ~= '' then
        flows().reopen(extra.flow, id)
      end
    end
  end
  beginnings.start(ids, records, starts, held)
end

-- Starts jobs for whose dependencies they have waited: their delay, and the time until they are assigned, begin now.
function beginnings.release(ids, records, starts)
  local batch, there, there_records = new_batch(), {}, {}
  for i, id in ipairs(ids) do
    local extra, pause = extras.of(records[i]), pause_of(starts[i])
    if extra.assign_timeout then
      note_timeout(batch, due_entries.ASSIGN_TIMEOUT, id, pause + extra.assign_timeout, extra.task)
    end
    if pause > 0 then
      delay(batch, id, pause, extra.task)
    else
      if clock.recording then
        events().note(event_kinds.WAITING, id, extra.task)
      end
      there[#there + 1], there_records[#there_records + 1] = id, records[i]
    end
  end
  if #batch.timeouts > 0 then
    call('ZADD', keys.due, unpack(batch.timeouts))
  end
  wake_for(batch)
  there, there_records = delays.without_owner(there, there_records)
  matching.enqueue(there, there_records, false)
end

return beginnings
