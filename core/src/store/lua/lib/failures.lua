-- Failed jobs, kept with their reason.
local clock = require('clock')
local due_entries = require('due_entries')
local event_kinds = require('event_kinds')
local extras = require('extras')
local kept = require('kept')
local keys = require('keys')
local rare_keys = require('rare_keys')
local meta = require('meta')
local record = require('record')
local results = require('results')
local edges = lazy('edges')
local endings = lazy('endings')
local events = lazy('events')
local logs = lazy('logs')
local metrics = lazy('metrics')
local call = redis.call

local failures = {
  -- Positions in an entry of `failed`, which is msgpack.
  REASON = 1,
  TEXT = 2,
  TIME = 3,
  CRASHES = 4,
  RECORD = 5,
  TRACEBACK = 6,
  -- Lines of its log, see logs.lua; nil if it has none.
  LOG = 7,
}
-- The set of failed jobs, see kept.lua.
failures.set = { name = 'failed', entries = keys.failed, times = keys.failed_at, due = due_entries.FAILED }

-- With `kept_inputs`, failed jobs are retried, and keep what they have of the jobs that they waited for.
function failures.forget(ids, kept_inputs)
  if #ids == 0 then
    return
  end
  if call('EXISTS', rare_keys.failed_nodes) == 1 then
    edges().forget_failed(ids, kept_inputs)
  end
  kept.remove(failures.set, ids)
end

local function keep(id, entry)
  failures.forget(kept.add(failures.set, { id }, { entry }, { kept.settings_of(failures.set).ttl or false }))
end

-- Moves a job to the failed ones; the caller removes it from its queue or owner. `held`: the value of `owner`, if any. `traceback`: where it failed,
-- if known. `by`: the owner that it had when it failed, if any. `measured`: its worker has measured the execution, which is counted with the round.
function failures.fail(id, found, reason, text, held, traceback, by, measured)
  local lines = logs().of_failed(id, found, by, reason == 'poison' and 'crashed' or reason, text)
  keep(id, cmsgpack.pack({ reason, text, clock.wall, extras.crashes_of(found), found, traceback or '', lines }))
  call('HDEL', keys.jobs, id)
  meta.count('failures', 1)
  if not measured then
    metrics().count_job(metrics().FAILED, found)
  end
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
  failures.forget(kept.expired(failures.set))
  kept.wait(failures.set)
end

return failures
