-- Failed jobs: kept with their reason, limited in number and bytes, deleted after a time.
local clock = require('clock')
local due_entries = require('due_entries')
local event_kinds = require('event_kinds')
local extras = require('extras')
local keys = require('keys')
local limits = require('limits')
local rare_keys = require('rare_keys')
local meta = require('meta')
local record = require('record')
local results = require('results')
local values = require('values')
local edges = lazy('edges')
local endings = lazy('endings')
local events = lazy('events')
local call = redis.call
local bounded = values.bounded

local failures = {
  -- Positions in an entry of `failed`, which is msgpack.
  REASON = 1,
  TEXT = 2,
  TIME = 3,
  CRASHES = 4,
  RECORD = 5,
  TRACEBACK = 6,
}
-- Default limits of the failed jobs that are kept; members of the cluster may set others.
local MAX, MAX_BYTES = 10000, 268435456
-- The limit of failed jobs that one call deletes.
local FORGOTTEN_AT_ONCE = 20
local PAGE = 200

local number_here, settings = 0, nil

local function read_settings()
  if not settings then
    local most, ttl, bytes = unpack(call('HMGET', keys.meta, 'failed_max', 'failed_ttl', 'failed_max_bytes'))
    settings = { max = bounded(most, 1, 1e9) or MAX, ttl = bounded(ttl, 1, 1e12), max_bytes = bounded(bytes, 1, 1e15) or MAX_BYTES }
  end
  return settings
end

-- With `kept`, failed jobs are retried, and keep what they have of the jobs that they waited for.
function failures.forget(ids, kept)
  if #ids == 0 then
    return
  end
  if call('EXISTS', rare_keys.failed_nodes) == 1 then
    edges().forget_failed(ids, kept)
  end
  local bytes = 0
  for _, id in ipairs(ids) do
    bytes = bytes + call('HSTRLEN', keys.failed, id)
  end
  call('HDEL', keys.failed, unpack(ids))
  call('ZREM', keys.failed_at, unpack(ids))
  meta.count('failed_bytes', -bytes)
end

-- Deletes the oldest failed jobs in excess of the limits; the job that just failed is kept.
local function forget_excess(newest)
  local excess = call('ZCARD', keys.failed_at) - settings.max
  for _ = 1, FORGOTTEN_AT_ONCE do
    if excess <= 0 and meta.counters.failed_bytes <= settings.max_bytes then
      return
    end
    local oldest = call('ZRANGE', keys.failed_at, 0, 1)
    oldest = oldest[1] == newest and oldest[2] or oldest[1]
    if not oldest or oldest == newest then
      return
    end
    failures.forget({ oldest })
    excess = excess - 1
  end
end

local function keep(id, entry)
  meta.count('failed_bytes', #entry - call('HSTRLEN', keys.failed, id))
  call('HSET', keys.failed, id, entry)
  -- In the order in which they failed, even if many fail in one millisecond.
  number_here = number_here + 1
  call('ZADD', keys.failed_at, clock.now + clock.micros % 1000 / 1000 + number_here / 1000, id)
  local ttl = read_settings().ttl
  if ttl then
    call('ZADD', keys.due, 'NX', clock.now + ttl, due_entries.FAILED)
  end
  forget_excess(id)
end

-- Moves a job to the failed ones; the caller removes it from its queue or owner. `held`: the value of `owner`, if any. `traceback`: where it failed,
-- if known. `by`: the owner that it had when it failed, if any.
function failures.fail(id, found, reason, text, held, traceback, by)
  keep(id, cmsgpack.pack({ reason, text, clock.wall, extras.crashes_of(found), found, traceback or '' }))
  call('HDEL', keys.jobs, id)
  meta.count('failures', 1)
  if clock.recording then
    events().note_job(event_kinds.FAILED, id, found, by, reason, text)
  end
  local outcome = 'f' .. reason .. '\n' .. text
  local ttl, requester = record.result_of(found)
  if ttl then
    results.keep({ id }, { outcome }, { ttl }, { requester })
  else
    results.notify({ id }, { outcome }, { '' })
  end
  if record.has_extras(found) then
    endings().gone(id, extras.of(found), outcome, held)
  end
end

-- Deletes failed jobs whose time to live is over.
function failures.expire()
  local ttl = bounded(call('HGET', keys.meta, 'failed_ttl'), 1, 10 * limits.YEAR)
  local old = ttl and call('ZRANGEBYSCORE', keys.failed_at, '-inf', clock.now - ttl, 'LIMIT', 0, PAGE) or {}
  failures.forget(old)
  local first = ttl and call('ZRANGE', keys.failed_at, 0, 0, 'WITHSCORES') or {}
  if first[2] then
    call('ZADD', keys.due, first[2] + ttl, due_entries.FAILED)
  else
    call('ZREM', keys.due, due_entries.FAILED)
  end
end

return failures
