-- Completed jobs that are kept: those of a cluster with `completed_max`, and those that ask for it.
local clock = require('clock')
local due_entries = require('due_entries')
local extras = require('extras')
local kept = require('kept')
local limits = require('limits')
local meta = require('meta')
local rare_keys = require('rare_keys')
local record = require('record')
local logs = lazy('logs')
local call = redis.call

local history = {
  -- Positions in an entry of `completed`, which is msgpack.
  RECORD = 1,
  OUTCOME = 2,
  TIME = 3,
  OWNER = 4,
  -- Lines of its log, see logs.lua; nil if it has none.
  LOG = 5,
}
history.set = {
  name = 'completed',
  entries = rare_keys.completed,
  times = rare_keys.completed_at,
  ages = rare_keys.completed_until,
  due = due_entries.COMPLETED,
}
-- The longest outcome that is kept: a letter and the result, which may be in an envelope (see envelope.rs).
local MAX_OUTCOME, MAX_ENVELOPE = 65537, 128

function history.forget(ids)
  kept.remove(history.set, ids)
end

-- Deletes those of the ids that are kept, and notes that they existed. An id may be there twice.
function history.delete(ids, answers)
  local there, seen = {}, {}
  for i, time in ipairs(call('ZMSCORE', history.set.times, unpack(ids))) do
    if time and not seen[ids[i]] then
      seen[ids[i]] = true
      there[#there + 1], answers[i] = ids[i], 1
    end
  end
  history.forget(there)
end

-- The entry of a completed job.
local function entry_of(job, extra)
  local most = string.byte(job.outcome, 2) == limits.ENVELOPE and MAX_OUTCOME + MAX_ENVELOPE or MAX_OUTCOME
  local outcome = #job.outcome <= most and job.outcome or ''
  return cmsgpack.pack({ job.record, outcome, clock.wall, job.owner, extra and extra.logged and logs().take(job.id) or nil })
end

-- Keeps those of the jobs that were completed and are to be kept: {id, record, outcome ('' if it is not known), owner ('' if it had none)} of each, 1000
-- at most. Called before their logs are removed.
function history.note(jobs)
  local ids, entries, ages = {}, {}, {}
  for _, job in ipairs(jobs) do
    local extra = record.has_extras(job.record) and extras.of(job.record)
    local own = extra and extra.keep
    if own and own > 0 or not own and meta.keeps_completed then
      local n = #ids + 1
      ids[n], entries[n], ages[n] = job.id, entry_of(job, extra), own or kept.settings_of(history.set).ttl or false
    end
  end
  if #ids == 0 then
    return
  end
  if not meta.completed_max then
    -- From now on, calls look for completed jobs.
    meta.completed_max = 0
    meta.remember('completed_max', 0)
  end
  history.forget(kept.add(history.set, ids, entries, ages))
end

-- Deletes completed jobs whose age is over.
function history.expire()
  history.forget(kept.expired(history.set))
  kept.wait(history.set)
end

return history
