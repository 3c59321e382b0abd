-- Pauses: no job of a paused task is assigned.
local rare_keys = require('rare_keys')
local special = require('special')
local call = redis.call
local pauses = {}

-- The name for all tasks.
local ALL = '*'
local known = {}

function pauses.is_paused(task)
  if special.pauses == 0 then
    return false
  end
  if known[task] == nil then
    local found = call('SMISMEMBER', rare_keys.paused, ALL, task)
    known[task] = found[1] == 1 or found[2] == 1
  end
  return known[task]
end

function pauses.set(task, on)
  call(on and 'SADD' or 'SREM', rare_keys.paused, task)
  special.pauses, known = call('SCARD', rare_keys.paused), {}
  special.update()
end

return pauses
