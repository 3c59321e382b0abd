-- Assignment of jobs to a member.
local clock = require('clock')
local fences = require('fences')
local inbox = require('inbox')
local inbox_kinds = require('inbox_kinds')
local keys = require('keys')
local owner = require('owner')
local events = lazy('events')
local call = redis.call
local assignment = {}

-- Makes `inc` the owner of jobs ids[from..to], with fences from `fence` on.
function assignment.own(inc, ids, records, from, to, fence)
  local owners, n = {}, 0
  for i = from, to do
    owners[n + 1] = ids[i]
    owners[n + 2] = owner.of(fence + i - from, inc)
    n = n + 2
  end
  call('HSET', keys.owner, unpack(owners))
  if clock.recording then
    events().assigned(records, from, to, owners)
  end
  call('SADD', keys.of('active', inc), unpack(ids, from, to))
end

-- Jobs in the format for members: the fence of the first, then id and record of each.
function assignment.pack(ids, records, from, to, fence)
  local entry, n = { fence }, 1
  for i = from, to do
    entry[n + 1] = ids[i]
    entry[n + 2] = records[i]
    n = n + 2
  end
  return cmsgpack.pack(entry)
end

-- Assigns ids[from..to] to `inc`, through its inbox. The jobs are in `jobs` and have no owner; ids and records are parallel.
function assignment.send(inc, ids, records, from, to)
  local fence = fences.next(to - from + 1)
  -- First, because it can fail: a job must not have an owner that was not notified.
  inbox.post(inc, inbox_kinds.JOBS, assignment.pack(ids, records, from, to, fence))
  assignment.own(inc, ids, records, from, to, fence)
end

return assignment
