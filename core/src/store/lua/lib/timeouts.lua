-- Timeouts of jobs.
local clock = require('clock')
local deletion = require('deletion')
local due_entries = require('due_entries')
local endings = require('endings')
local event_kinds = require('event_kinds')
local extras = require('extras')
local failures = require('failures')
local inbox_kinds = require('inbox_kinds')
local keys = require('keys')
local meta = require('meta')
local owner = require('owner')
local rare_keys = require('rare_keys')
local events = lazy('events')
local logs = lazy('logs')
local metrics = lazy('metrics')
local call = redis.call
local timeouts = {}

local kinds = {
  [due_entries.ASSIGN_TIMEOUT] = {
    field = 'assign_timeout',
    text = 'this job was not assigned to a worker within its assign_timeout of %d ms',
  },
  [due_entries.RUN_TIMEOUT] = {
    field = 'run_timeout',
    text = 'an execution of this job took longer than its run_timeout of %d ms',
  },
  [due_entries.TOTAL_TIMEOUT] = {
    field = 'total_timeout',
    text = 'this job did not finish within its total_timeout of %d ms',
  },
}

-- kind: that of the due entry.
function timeouts.expire(kind, id)
  local found, held = call('HGET', keys.jobs, id), call('HGET', keys.owner, id)
  local active = held and not owner.is_deleting(held) and owner.read(held)
  if not found or kind == due_entries.ASSIGN_TIMEOUT and active or kind == due_entries.RUN_TIMEOUT and not active then
    return
  end
  local extra, field = extras.of(found), kinds[kind].field
  local text = string.format(kinds[kind].text, extra[field] or 0)
  if active then
    deletion.stop_holder(id, held, inbox_kinds.TIMED_OUT)
  end
  if kind == due_entries.RUN_TIMEOUT and extra.failed < extra.retries then
    -- It is retried when its worker has stopped.
    local retried = extras.with_failed(found, extra, extra.failed + 1)
    call('HSET', keys.jobs, id, logs().note({ id }, { retried }, { held }, field, text)[1])
    meta.count('retries', 1)
    metrics().count(metrics().RETRIED, extra.task)
    if clock.recording then
      events().note(event_kinds.RETRYING, id, extra.task, held, field, text)
    end
    if extra.resource then
      call('HSETNX', rare_keys.stopping, id, extra.resource)
    end
    if extra.limits then
      endings.keep_limits(id, extra.limits)
    end
    return
  end
  if not active then
    endings.unqueue(id, extra, held)
  end
  failures.fail(id, found, field, text, held, nil, active and held)
end

return timeouts
