-- A suspect is a job that may have crashed its workers. Besides its own resource it needs the resource with the empty name for the first moments of
-- an execution, so that a crash in that time identifies the job.
local clock = require('clock')
local due_entries = require('due_entries')
local inbox = require('inbox')
local inbox_kinds = require('inbox_kinds')
local keys = require('keys')
local limits = require('limits')
local rare_keys = require('rare_keys')
local resources = require('resources')
local values = require('values')
local call = redis.call

local suspects = { RESOURCE = '', TRIAL = 250 }
-- A lease that was renewed this long before the end of a trial counts as renewed after it, in ms.
local TOLERANCE = 50

-- A suspect has ended, or its worker survived: the next suspect may start.
function suspects.clear(id)
  call('ZREM', keys.due, due_entries.TRIAL .. id)
  resources.free(suspects.RESOURCE, id)
end

-- The first moments of a suspect are over. It is cleared if its worker renewed its lease since; otherwise the worker is woken.
function suspects.probe(id)
  local inc = string.match(call('HGET', keys.owner, id) or '', '^%d+:([^:]+):?w?$')
  local lease_end = inc and call('ZSCORE', keys.due, due_entries.LEASE .. inc)
  if not lease_end then
    return suspects.clear(id)
  end
  local renewed = lease_end - (values.bounded(call('HGET', keys.of('member', inc), 'lease'), 0, limits.LEASE) or 0)
  -- The entry is due TRIAL after the start, or TRIAL after the worker was woken.
  if renewed >= (tonumber(call('ZSCORE', keys.due, due_entries.TRIAL .. id)) or 0) - TOLERANCE then
    return suspects.clear(id)
  end
  inbox.post(inc, inbox_kinds.WAKE, '')
  call('ZADD', keys.due, clock.now + suspects.TRIAL, due_entries.TRIAL .. id)
end

-- The suspect in its first moments, if any.
function suspects.on_trial()
  return call('HGET', rare_keys.resources, suspects.RESOURCE)
end

return suspects
