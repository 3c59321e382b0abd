-- Repairs a page of entries for the sweep.
local clock = require('clock')
local damage = require('damage')
local departure = require('departure')
local due_entries = require('due_entries')
local endings = require('endings')
local extras = require('extras')
local failures = require('failures')
local keys = require('keys')
local limits = require('limits')
local matching = require('matching')
local meta = require('meta')
local owner = require('owner')
local places = require('places')
local queues = require('queues')
local rare_keys = require('rare_keys')
local record = require('record')
local resources = require('resources')
local values = require('values')
local events = lazy('events')
local limit_lines = lazy('limit_lines')
local limit_state = lazy('limit_state')
local logs = lazy('logs')
local unique_keys = lazy('unique_keys')
local call = redis.call
local mending = {}

-- How many users of a limit are looked at in a turn.
local USERS = 20

-- The time in ms in which a member whose lease has no entry in `due` must renew it.
local LEASE_ANEW = 60000

local alive = {}
local function is_alive(inc)
  if alive[inc] == nil then
    alive[inc] = call('ZSCORE', keys.due, due_entries.LEASE .. inc) ~= false
  end
  return alive[inc]
end

-- The owner of the job is gone, or cannot be read.
local function remove_owner(id, inc, deleting)
  call('HDEL', keys.owner, id)
  damage.found()
  if deleting then
    meta.count('deleting', -1)
  end
  endings.stopped(id)
  if inc and not call('ZSCORE', keys.due, due_entries.LEASE .. inc) then
    departure.forget(inc)
    alive[inc] = false
  end
end

-- The jobs of a page without an owner, and their extras by id.
local function without_owner(ids, records, owners)
  local free, extra_of = {}, {}
  for i, id in ipairs(ids) do
    if records[i] and not owners[i] then
      free[#free + 1], extra_of[id] = id, extras.of(records[i])
    end
  end
  return free, extra_of
end

-- A job without an owner: requeued if it is in no queue.
local function mend_waiting(id, found, in_hand, batch)
  local extra = extras.of(found)
  if not places.is_waiting(id, extra, in_hand) then
    if extra.damaged then
      damage.found()
      failures.fail(id, found, 'corrupt', 'the record of this job is damaged, and it was in no queue', false)
    else
      batch.lost[#batch.lost + 1], batch.lost_records[#batch.lost_records + 1] = id, found
    end
  else
    local listed = queues.of_job(extra).entry .. (extra.group and ':' .. extra.group or '')
    if not batch.listed[listed] then
      batch.listed[listed] = true
      queues.mend(extra)
    end
  end
end

local function count_damage(number)
  if number > 0 then
    meta.count('damaged', number)
  end
end

-- Jobs whose unique key nobody has get it.
local function mend_keys(ids, records)
  for i = 1, #ids do
    if records[i] and record.has_extras(records[i]) then
      return count_damage(unique_keys().take_free(ids, records))
    end
  end
end

-- `in_hand`: a script that failed had removed the jobs from their queues.
function mending.jobs(ids, in_hand)
  if #ids == 0 then
    return
  end
  local records, owners = call('HMGET', keys.jobs, unpack(ids)), call('HMGET', keys.owner, unpack(ids))
  local batch = { lost = {}, lost_records = {}, listed = {} }
  mend_keys(ids, records)
  local free, extra_of = without_owner(ids, records, owners)
  local aside = #free > 0 and places.set_aside(free, extra_of) or {}
  for i, id in ipairs(ids) do
    local _, inc, deleting = owner.read(owners[i])
    if inc and is_alive(inc) then
      if call('SADD', keys.of('active', inc), id) == 1 then
        damage.found()
      end
    else
      if owners[i] then
        remove_owner(id, inc, deleting)
      end
      if records[i] and not aside[id] then
        mend_waiting(id, records[i], in_hand, batch)
      end
    end
  end
  if #batch.lost > 0 then
    count_damage(#batch.lost)
    if clock.recording then
      events().waiting(batch.lost, batch.lost_records)
    end
    matching.enqueue(batch.lost, batch.lost_records, false)
    places.forget()
  end
end

-- Checks ids of jobs with an owner. Those with a record were checked as jobs.
function mending.owned(ids)
  local there = {}
  for i, found in ipairs(call('HMGET', keys.jobs, unpack(ids))) do
    if not found then
      there[#there + 1] = ids[i]
    end
  end
  mending.jobs(there, false)
end

function mending.resources(names)
  for i, holder in ipairs(call('HMGET', rare_keys.resources, unpack(names))) do
    if holder and call('HEXISTS', keys.owner, holder) == 0 and call('HEXISTS', keys.jobs, holder) == 0 then
      damage.found()
      resources.free(names[i], holder)
    end
  end
end

-- Limits at which jobs wait: removes users that are not active, and lets their lines move.
function mending.turns(names)
  for _, name in ipairs(names) do
    local users = call('SRANDMEMBER', keys.of('limit_users', name), USERS)
    local gone = {}
    for i, held in ipairs(#users > 0 and call('HMGET', keys.owner, unpack(users)) or {}) do
      if not held then
        gone[#gone + 1] = users[i]
      end
    end
    if #gone > 0 then
      damage.found()
      limit_state().stop(name, gone)
    end
    local turn = call('HGET', rare_keys.limit_turns, name)
    if turn and turn ~= '' and call('HEXISTS', keys.jobs, turn) == 0 then
      damage.found()
      call('ZREM', keys.of('limited', name), turn)
      call('HSET', rare_keys.limit_turns, name, '')
    end
    limit_lines().note(name)
  end
  limit_lines().settle()
end

-- Checks unique keys.
function mending.unique(names)
  count_damage(unique_keys().mend(names))
end

-- Checks logs of jobs.
function mending.logs(ids)
  count_damage(logs().mend(ids))
end

function mending.stopping(ids)
  for _, id in ipairs(ids) do
    if call('HEXISTS', keys.owner, id) == 0 then
      damage.found()
      endings.stopped(id)
    end
  end
end

function mending.members(incs)
  for _, inc in ipairs(incs) do
    local lease_end = call('ZSCORE', keys.due, due_entries.LEASE .. inc)
    if not values.bounded(lease_end, 0, clock.now + limits.LEASE) then
      damage.found()
      call('ZADD', keys.due, lease_end and clock.now + LEASE_ANEW or clock.now, due_entries.LEASE .. inc)
    end
  end
end

function mending.load(incs)
  for _, inc in ipairs(incs) do
    if not is_alive(inc) then
      damage.found()
      call('ZREM', keys.load, inc)
    end
  end
end

function mending.index(entries)
  for _, entry in ipairs(entries) do
    local queue = queues.read_entry(entry)
    if not queue then
      call('ZREM', rare_keys.index, entry)
    elseif call('EXISTS', queue.key) == 0 then
      queues.forget(queue)
    else
      queues.list(queue)
    end
  end
end

return mending
