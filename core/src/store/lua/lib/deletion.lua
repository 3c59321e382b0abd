-- Deletes jobs in any state, and stops active ones.
local clock = require('clock')
local endings = require('endings')
local event_kinds = require('event_kinds')
local extras = require('extras')
local failures = require('failures')
local inbox_kinds = require('inbox_kinds')
local keys = require('keys')
local meta = require('meta')
local notices = require('notices')
local owner = require('owner')
local record = require('record')
local results = require('results')
local events = lazy('events')
local metrics = lazy('metrics')
local call = redis.call
local deletion = {}

-- Notifies the owner of a job to stop; the job keeps its slot until the worker reports that it did. `kind`: inbox_kinds.DELETED or
-- inbox_kinds.TIMED_OUT.
function deletion.stop_holder(id, held, kind)
  local fence, inc = owner.read(held)
  if not inc then
    call('HDEL', keys.owner, id)
    return
  end
  call('HSET', keys.owner, id, owner.deleting(held))
  meta.count('deleting', 1)
  notices.stop(kind, inc, fence, id)
end

local function delete_job(id, found, held)
  call('HDEL', keys.jobs, id)
  metrics().count_job(metrics().DELETED, found)
  if clock.recording then
    events().note_job(event_kinds.DELETED, id, found)
  end
  if held and not owner.is_deleting(held) then
    deletion.stop_holder(id, held, inbox_kinds.DELETED)
  else
    endings.unqueue(id, extras.of(found), held)
  end
  if record.has_extras(found) then
    endings.gone(id, extras.of(found), nil, held)
  end
  local _, requester = record.result_of(found)
  results.notify({ id }, { 'd' }, { requester or '' })
end

-- Returns 1 (it existed) or 0 for each job.
function deletion.delete(ids)
  local owners = call('HMGET', keys.owner, unpack(ids))
  local answers, deleted, passed = {}, 0, false
  for i, id in ipairs(ids) do
    local found = call('HGET', keys.jobs, id)
    answers[i] = found and 1 or 0
    if found then
      deleted = deleted + 1
      -- A job that waited for the unique key of one that was deleted before may have been assigned meanwhile.
      delete_job(id, found, passed and call('HGET', keys.owner, id) or not passed and owners[i])
      passed = passed or record.has_extras(found) and extras.of(found).unique ~= nil
    elseif call('ZSCORE', keys.failed_at, id) then
      failures.forget({ id })
      answers[i] = 1
      if clock.recording then
        events().note(event_kinds.DELETED, id)
      end
    end
  end
  if deleted > 0 then
    meta.count('deleted', deleted)
  end
  return answers
end

-- Deletes up to `budget` of the ephemeral jobs of a member. Returns whether all are deleted, and how many were.
function deletion.delete_ephemeral(inc, budget)
  local ids = budget > 0 and call('SPOP', keys.of('ephemeral', inc), budget) or {}
  if #ids > 0 then
    deletion.delete(ids)
  end
  return #ids < budget, #ids
end

return deletion
