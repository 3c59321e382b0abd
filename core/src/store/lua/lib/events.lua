-- Transitions of jobs, for members that follow them. Modules note them while `clock.recording`; `reply` writes them to the stream `events` in packed
-- entries. Events are numbered without gaps, so that a follower sees that some are missing. The id of an entry is the number of its last event and
-- the time of day in ms; `recorded` in `meta` is the last id.
local clock = require('clock')
local event_kinds = require('event_kinds')
local extras = require('extras')
local keys = require('keys')
local limits = require('limits')
local meta = require('meta')
local rare_keys = require('rare_keys')
local record = require('record')
local script = require('script')
local values = require('values')
local call = redis.call
local sub = string.sub

local TEXT = 256

local events = {
  -- What blocks a job: the reasons of BLOCKED.
  BY_LIMIT = 'limit',
  BY_RESOURCE = 'resource',
  BY_UNIQUE = 'unique',
  BY_JOBS = 'jobs',
  -- Values of an event: kind, id, task, owner, reason, text, time of day at which it is due, name.
  WIDTH = 8,
  -- The limit of each text in bytes.
  TEXT = TEXT,
}
-- Events of an entry.
local ENTRY = 100
-- Events that are kept if no member has set another number.
local MAX = 10000

-- The values of all events of this call, one after the other.
local noted = {}

local function task_of(text)
  return record.has_extras(text) and extras.of(text).task or ''
end

-- Notes an event. `owner`: the value of the hash `owner`, or ''; `due`: the time of day in ms, or 0. All after the id are optional.
function events.note(kind, id, task, owner, reason, text, due, name)
  local n = #noted
  noted[n + 1], noted[n + 2], noted[n + 3], noted[n + 4] = kind, id, task or '', owner or ''
  noted[n + 5], noted[n + 6], noted[n + 7], noted[n + 8] = reason and sub(reason, 1, TEXT) or '', text and sub(text, 1, TEXT) or '', due or 0, name or ''
end

local note = events.note

-- As `note`, with the task of a record.
function events.note_job(kind, id, found, owner, reason, text, due, name)
  note(kind, id, task_of(found), owner, reason, text, due, name)
end

-- New jobs: id, record, ...; `replaced`: a set of ids under which other jobs were stored before.
function events.added(jobs, replaced)
  for i = 1, #jobs, 2 do
    note(replaced and replaced[jobs[i]] and event_kinds.REPLACED or event_kinds.ADDED, jobs[i], task_of(jobs[i + 1]))
  end
end

-- Jobs ids[from..to] with their owners: id, owner, ...
function events.assigned(records, from, to, owners)
  for i = from, to do
    local at = 2 * (i - from) + 1
    note(event_kinds.ASSIGNED, owners[at], task_of(records[i]), owners[at + 1])
  end
end

function events.completed(ids, owners)
  for i = 1, #ids do
    note(event_kinds.COMPLETED, ids[i], '', owners[i])
  end
end

-- Jobs that wait in their queues again.
function events.waiting(ids, records)
  for i = 1, #ids do
    note(event_kinds.WAITING, ids[i], task_of(records[i]))
  end
end

-- `what`: see BY_LIMIT.
function events.blocked(what, name, id, task)
  note(event_kinds.BLOCKED, id, task, '', what, '', 0, name)
end

-- A job is delayed until a time on the cluster's clock.
function events.delayed(id, task, due)
  note(event_kinds.DELAYED, id, task, '', '', '', due - clock.offset)
end

local function last_number()
  local last, most = unpack(call('HMGET', keys.meta, 'recorded', 'events_max'))
  local number = values.bounded(string.match(last or '', '^(%d+)-%d+$'), 1, limits.FENCE)
  return number, values.bounded(most, 1, 1e9) or MAX
end

-- Appends an entry whose last event has this number, and removes entries without any of the last `most` events. Data that another program has
-- changed is removed: followers see that events are missing.
local function append(number, packed, most)
  local id = string.format('%.0f-%.0f', number, clock.wall)
  local from = string.format('%.0f', math.max(0, number - most + 1))
  local answer = redis.pcall('XADD', rare_keys.events, 'MINID', from, id, 'e', packed)
  if type(answer) == 'table' and answer.err then
    call('UNLINK', rare_keys.events)
    call('XADD', rare_keys.events, id, 'e', packed)
  end
  meta.remember('recorded', id)
  return id
end

-- Transitions are recorded until a time on the cluster's clock, or 'always'. If they were not before, a number is skipped, and an entry without events
-- notifies followers at once. Returns the id of that entry, if it adds one.
function events.record(time)
  meta.remember('recording', time)
  if clock.recording then
    return
  end
  local number, most = last_number()
  clock.recording = true
  return append(math.max((number or 0) + 2, clock.micros), '', most)
end

function script.flush.events()
  if #noted == 0 then
    return
  end
  local number, most = last_number()
  number = number or clock.micros
  local step = ENTRY * events.WIDTH
  for from = 1, #noted, step do
    local to = math.min(#noted, from + step - 1)
    number = number + (to - from + 1) / events.WIDTH
    append(number, cmsgpack.pack({ unpack(noted, from, to) }), most)
  end
  noted = {}
end

return events
