-- Jobs that wait for a resource or for a unique key.
local keys = require('keys')
local rare_keys = require('rare_keys')
local special = require('special')
local call = redis.call
local blocking = { RESOURCE = 'blocked', UNIQUE = 'unique' }

-- Blocks jobs for a name of this kind, in order, behind the jobs that wait for it.
function blocking.block(kind, name, ids)
  local scored = {}
  for i, id in ipairs(ids) do
    scored[2 * i - 1], scored[2 * i] = special.sequence + i, id
  end
  special.advance(#ids)
  call('ZADD', keys.of(kind, name), unpack(scored))
  call('SADD', rare_keys.blocked, unpack(ids))
end

return blocking
