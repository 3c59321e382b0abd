-- Outcomes of jobs: stored as results, and sent to the members that await them.
local clock = require('clock')
local due_entries = require('due_entries')
local keys = require('keys')
local notices = require('notices')
local call = redis.call
local results = {}

-- Notifies the members that await these jobs. requesters[i] is '' if the job has no requester.
function results.notify(ids, outcomes, requesters)
  if #ids == 0 then
    return
  end
  local waiters = call('HMGET', keys.waiters, unpack(ids))
  for i, id in ipairs(ids) do
    if requesters[i] ~= '' then
      notices.outcome(requesters[i], id, outcomes[i])
    end
    if waiters[i] then
      for inc in string.gmatch(waiters[i], '[^,]+') do
        if inc ~= requesters[i] then
          notices.outcome(inc, id, outcomes[i])
        end
      end
      call('HDEL', keys.waiters, id)
    end
  end
end

-- Stores outcomes for their ttls, in s, and notifies.
function results.keep(ids, outcomes, ttls, requesters)
  if #ids == 0 then
    return
  end
  local kept, expiries = {}, {}
  for i, id in ipairs(ids) do
    kept[#kept + 1] = id
    kept[#kept + 1] = outcomes[i]
    expiries[#expiries + 1] = clock.now + ttls[i] * 1000
    expiries[#expiries + 1] = due_entries.RESULT .. id
  end
  call('HSET', keys.results, unpack(kept))
  call('ZADD', keys.due, unpack(expiries))
  results.notify(ids, outcomes, requesters)
end

return results
