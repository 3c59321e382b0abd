-- Finishes jobs with extras, and releases what depended on them.
local due_entries = require('due_entries')
local extras = require('extras')
local keys = require('keys')
local meta = require('meta')
local owner = require('owner')
local queues = require('queues')
local rare_keys = require('rare_keys')
local record = require('record')
local resources = require('resources')
local results = require('results')
local script = require('script')
local suspects = require('suspects')
local tombstones = require('tombstones')
local delays = lazy('delays')
local edges = lazy('edges')
local failures = lazy('failures')
local firing = lazy('firing')
local matching = lazy('matching')
local call = redis.call
local endings = {}

-- The limit of jobs that finish in one call because a similar job did, and how many are read at once.
local followers_left, FOLLOWERS_AT_ONCE = 1000, 100

-- Removes a waiting job from its queue. `stopping`: it is in no queue until an earlier execution has stopped.
function endings.unqueue(id, extra, stopping)
  if call('ZREM', rare_keys.delayed, id) == 1 then
    return
  end
  if call('SREM', rare_keys.blocked, id) == 1 then
    local _ = extra.resource and call('ZREM', keys.of('blocked', extra.resource), id) == 1
      or extra.suspect and call('ZREM', keys.of('blocked', suspects.RESOURCE), id) == 1
      or extra.similar and call('ZREM', keys.of('similar', extra.similar), id)
    return
  end
  if stopping then
    return
  end
  -- It is in `ready:0` only if it is in no sorted set. A job with a damaged record may be in any queue: its entry is skipped when its turn comes.
  local found = call('ZREM', queues.key_of(extra.priority, extra.task), id) == 1
  if not found and queues.is_plain(extra.priority, extra.task) and not extra.damaged then
    tombstones.bury(id)
  end
end

-- Finishes followers with the outcome of the first.
local function end_followers(ids, records, outcome)
  local kept, outcomes, ttls, requesters = {}, {}, {}, {}
  for i, id in ipairs(ids) do
    local ttl, requester = record.result_of(records[i])
    if ttl then
      local n = #kept + 1
      kept[n], outcomes[n], ttls[n], requesters[n] = id, outcome, ttl, requester
    end
  end
  call('HDEL', keys.jobs, unpack(ids))
  meta.count(string.sub(outcome, 1, 1) == 'f' and 'failures' or 'completed', #ids)
  results.keep(kept, outcomes, ttls, requesters)
  for i, id in ipairs(ids) do
    local extra = extras.of(records[i])
    extra.similar = nil
    endings.gone(id, extra, outcome, false)
  end
end

-- The follower takes the place of the first. If it has an owner, it is queued when that has stopped.
local function promote(name, id, found)
  call('HSET', rare_keys.similar, name, id)
  if call('HEXISTS', keys.owner, id) == 0 then
    matching().enqueue({ id }, { found }, false)
  end
end

-- Jobs that wait for a similar one finish with its outcome. If that was deleted, or if too many have finished in this call, the next of them runs in
-- its place.
local function settle(name, outcome)
  local followers = keys.of('similar', name)
  while true do
    local ends = outcome and followers_left > 0
    local scored = call('ZPOPMIN', followers, ends and FOLLOWERS_AT_ONCE or 1)
    if #scored == 0 then
      call('HDEL', rare_keys.similar, name)
      return
    end
    local ids = {}
    for i = 1, #scored, 2 do
      ids[#ids + 1] = scored[i]
    end
    followers_left = followers_left - #ids
    script.in_hand[#script.in_hand + 1] = ids
    call('SREM', rare_keys.blocked, unpack(ids))
    local there, records = {}, {}
    for i, found in ipairs(call('HMGET', keys.jobs, unpack(ids))) do
      if found then
        there[#there + 1], records[#records + 1] = ids[i], found
      end
    end
    if #there > 0 and not ends then
      return promote(name, there[1], records[1])
    elseif #there > 0 then
      end_followers(there, records, outcome)
    end
  end
end

-- A job is over: stops its timeouts, frees its resource, and lets jobs that waited for it continue. `held`: the value of `owner`, if any. A worker
-- that still runs the job keeps the resource until it has stopped. If that is an earlier execution of the same id, this job never had the resource.
function endings.gone(id, extra, outcome, held)
  if extra.assign_timeout or extra.run_timeout or extra.total_timeout then
    call('ZREM', keys.due, due_entries.ASSIGN_TIMEOUT .. id, due_entries.RUN_TIMEOUT .. id, due_entries.TOTAL_TIMEOUT .. id)
  end
  if extra.ephemeral_of then
    call('SREM', keys.of('ephemeral', extra.ephemeral_of), id)
  end
  if extra.suspect then
    suspects.clear(id)
  end
  if extra.node then
    edges().ended(id, extra, outcome)
  end
  if extra.then_next_of then
    firing().ended(extra.then_next_of, id)
  end
  if extra.resource and not held then
    resources.free(extra.resource, id)
  elseif extra.resource and not owner.is_deleting(held) then
    call('HSETNX', rare_keys.stopping, id, extra.resource)
  end
  if extra.similar and call('HGET', rare_keys.similar, extra.similar) == id then
    settle(extra.similar, outcome)
  end
end

-- The worker has stopped a deleted job, or died while it ran it.
function endings.stopped(id)
  call('HDEL', rare_keys.progress, id)
  local resource = call('HGET', rare_keys.stopping, id)
  if resource then
    call('HDEL', rare_keys.stopping, id)
    resources.free(resource, id)
  end
end

-- A job leaves its worker and still exists. `front`: it is requeued before all others and keeps its resource.
function endings.left(id, extra, front)
  call('HDEL', rare_keys.progress, id)
  if extra.run_timeout then
    call('ZREM', keys.due, due_entries.RUN_TIMEOUT .. id)
  end
  if extra.resource and not front then
    resources.free(extra.resource, id)
  end
  if extra.suspect then
    call('ZREM', keys.due, due_entries.TRIAL .. id)
    if not front then
      resources.free(suspects.RESOURCE, id)
    end
  end
end

-- An attempt failed: the job is retried after a pause in ms, or fails permanently if no retry is left.
function endings.retry(id, found, extra, pause, message, traceback)
  if extra.failed >= extra.retries then
    call('HDEL', rare_keys.progress, id)
    return failures().fail(id, found, 'failed', message, false, traceback)
  end
  found = extras.with_failed(found, extra, extra.failed + 1)
  call('HSET', keys.jobs, id, found)
  meta.count('retries', 1)
  endings.left(id, extra, false)
  if pause > 0 then
    delays().delay(id, pause)
  else
    matching().enqueue({ id }, { found }, false)
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
