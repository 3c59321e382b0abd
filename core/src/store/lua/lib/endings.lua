-- Finishes jobs with extras, and releases what depended on them.
local clock = require('clock')
local due_entries = require('due_entries')
local event_kinds = require('event_kinds')
local extras = require('extras')
local keys = require('keys')
local meta = require('meta')
local owner = require('owner')
local queues = require('queues')
local rare_keys = require('rare_keys')
local record = require('record')
local resources = require('resources')
local suspects = require('suspects')
local tombstones = require('tombstones')
local values = require('values')
local delays = lazy('delays')
local edges = lazy('edges')
local events = lazy('events')
local failures = lazy('failures')
local firing = lazy('firing')
local limit_lines = lazy('limit_lines')
local limit_state = lazy('limit_state')
local logs = lazy('logs')
local matching = lazy('matching')
local unique_keys = lazy('unique_keys')
local call = redis.call
local endings = {}

-- Removes a waiting job from its queue. `stopping`: it is in no queue until an earlier execution has stopped.
function endings.unqueue(id, extra, stopping)
  if call('ZREM', rare_keys.delayed, id) == 1 then
    return
  end
  if call('SREM', rare_keys.blocked, id) == 1 then
    if extra.limits then
      limit_lines().unblock(id, extra.limits)
    end
    local _ = extra.resource and call('ZREM', keys.of('blocked', extra.resource), id) == 1
      or extra.suspect and call('ZREM', keys.of('blocked', suspects.RESOURCE), id) == 1
      or extra.unique and call('ZREM', keys.of('unique', extra.unique), id)
    return
  end
  if stopping then
    return
  end
  -- It is in `ready:0` only if it is in no sorted set. A job with a damaged record may be in any queue: its entry is skipped when its turn comes.
  local found = queues.remove(id, extra)
  if not found and queues.is_plain(extra.priority, extra.task, extra.group) and not extra.damaged then
    tombstones.bury(id)
  end
end

-- Stops the timeouts of a job, removes its log and frees its resource. `held`: the value of `owner`, if any. A worker that still runs the job keeps
-- the resource until it has stopped. If that is an earlier execution of the same id, this job never had the resource.
function endings.detach(id, extra, held)
  if extra.assign_timeout or extra.run_timeout or extra.total_timeout then
    call('ZREM', keys.due, due_entries.ASSIGN_TIMEOUT .. id, due_entries.RUN_TIMEOUT .. id, due_entries.TOTAL_TIMEOUT .. id)
  end
  if extra.ephemeral_of then
    call('SREM', keys.of('ephemeral', extra.ephemeral_of), id)
  end
  if extra.suspect then
    suspects.clear(id)
  end
  if extra.then_next_of then
    firing().ended(extra.then_next_of, id)
  end
  if extra.logged then
    logs().drop({ id })
  end
  if extra.resource and not held then
    resources.free(extra.resource, id)
  elseif extra.resource and not owner.is_deleting(held) then
    call('HSETNX', rare_keys.stopping, id, extra.resource)
  end
  if extra.limits and not held then
    limit_lines().free(id, extra.limits, true)
  elseif extra.limits and not owner.is_deleting(held) then
    endings.keep_limits(id, extra.limits)
  end
end

-- A job is over: lets jobs that waited for it continue. `outcome`: nil if it was deleted.
function endings.gone(id, extra, outcome, held)
  endings.detach(id, extra, held)
  if extra.node then
    edges().ended(id, extra, outcome)
  end
  if extra.unique then
    unique_keys().ended(id, extra, outcome)
  end
end

-- The worker of a deleted or timed-out job uses its limits until it has stopped.
function endings.keep_limits(id, limits)
  local names = {}
  for i, limit in ipairs(limits) do
    names[i] = limit.name
  end
  call('HSETNX', rare_keys.stopping_limits, id, cmsgpack.pack(names))
end

-- {name} of each limit, of their names; none if they cannot be read.
function endings.named_limits(names)
  local limits = {}
  for i, name in ipairs(type(names) == 'table' and names or {}) do
    limits[i] = { name = name }
  end
  return limits
end

-- The worker has stopped a deleted job, or died while it ran it.
function endings.stopped(id)
  call('HDEL', rare_keys.progress, id)
  local resource = call('HGET', rare_keys.stopping, id)
  if resource then
    call('HDEL', rare_keys.stopping, id)
    resources.free(resource, id)
  end
  local names = call('HGET', rare_keys.stopping_limits, id)
  if names then
    call('HDEL', rare_keys.stopping_limits, id)
    limit_lines().free(id, endings.named_limits(values.unpacked(names)), false)
  end
end

-- A job leaves its worker and still exists. `front`: it is requeued before all others, also in the lines of its limits, and keeps its resource.
function endings.left(id, extra, front)
  call('HDEL', rare_keys.progress, id)
  if extra.run_timeout then
    call('ZREM', keys.due, due_entries.RUN_TIMEOUT .. id)
  end
  if extra.resource and not front then
    resources.free(extra.resource, id)
  end
  if extra.limits then
    limit_lines().free(id, extra.limits, false)
    if front then
      limit_lines().keep_place(id, extra.limits)
    end
  end
  if extra.suspect then
    call('ZREM', keys.due, due_entries.TRIAL .. id)
    if not front then
      resources.free(suspects.RESOURCE, id)
    end
  end
end

-- An attempt failed: the job is retried after a pause in ms, or fails permanently if no retry is left. `by`: the owner that it had.
function endings.retry(id, found, extra, pause, message, traceback, by)
  if extra.failed >= extra.retries then
    call('HDEL', rare_keys.progress, id)
    return failures().fail(id, found, 'failed', message, false, traceback, by)
  end
  found = logs().note({ id }, { extras.with_failed(found, extra, extra.failed + 1) }, { by }, 'failed', message)[1]
  call('HSET', keys.jobs, id, found)
  meta.count('retries', 1)
  endings.left(id, extra, false)
  local due = pause > 0 and delays().delay(id, pause)
  if clock.recording then
    events().note(event_kinds.RETRYING, id, extra.task, by, 'failed', message, due and due - clock.offset)
  end
  if not due then
    matching().enqueue({ id }, { found }, false)
  end
end

-- What the handler needs refused it for now: no attempt is counted. The limit, or each limit of the job if none is named, starts no job for `pause` ms.
-- `by`: the owner that it had.
function endings.limited(id, found, extra, pause, named, by)
  local names, is_own = { named }, false
  for _, limit in ipairs(extra.limits or {}) do
    is_own = is_own or named == '' or named == limit.name
    if named == '' then
      names[#names + 1] = limit.name
    end
  end
  if names[1] == '' then
    table.remove(names, 1)
  end
  if #names > 0 then
    limit_state().pause(names, pause)
  end
  endings.left(id, extra, is_own)
  if clock.recording then
    events().note(event_kinds.RELEASED, id, extra.task, by, 'limited')
  end
  if is_own then
    matching().enqueue({ id }, { found }, true)
  else
    local due = delays().delay(id, pause)
    if clock.recording then
      events().delayed(id, extra.task, due)
    end
  end
end

-- Among jobs whose earlier execution has stopped, those that wait for nothing else: ids and records.
function endings.not_waiting(ids, records)
  local there, there_records = {}, {}
  for i, id in ipairs(ids) do
    local waits = record.has_extras(records[i])
      and (call('ZSCORE', rare_keys.delayed, id) or call('SISMEMBER', rare_keys.blocked, id) == 1)
    if not waits then
      there[#there + 1], there_records[#there_records + 1] = id, records[i]
    end
  end
  return there, there_records
end

return endings
