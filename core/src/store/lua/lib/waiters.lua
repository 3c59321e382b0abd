-- Members that await outcomes of jobs, and are not named in their records.
local keys = require('keys')
local call = redis.call
local waiters = {}

-- Registers a member that awaits the outcome of a job.
function waiters.add(id, inc)
  local known = call('HGET', keys.waiters, id)
  if not known then
    call('HSET', keys.waiters, id, inc)
  elseif not string.find(',' .. known .. ',', ',' .. inc .. ',', 1, true) then
    call('HSET', keys.waiters, id, known .. ',' .. inc)
  end
end

return waiters
