-- A round that is repeated because its reply was lost: finds the jobs that it assigned, if they are still assigned to its member.
local keys = require('keys')
local owner = require('owner')
local values = require('values')
local call = redis.call

local AT_ONCE = 1000

-- first, taken: the range of fences of the round. Returns packed jobs, each by itself.
local function replay(inc, number, first, taken)
  local again = {}
  if taken == 0 then
    return again
  end
  local noted = values.unpacked(call('GET', keys.of('assigned', inc)) or '')
  local ids = type(noted) == 'table' and noted[1] == number and noted[2] or call('SMEMBERS', keys.of('active', inc))
  for from = 1, #ids, AT_ONCE do
    local to = math.min(#ids, from + AT_ONCE - 1)
    local owners = call('HMGET', keys.owner, unpack(ids, from, to))
    for i = from, to do
      local fence, holder, deleting = owner.read(owners[i - from + 1])
      if holder == inc and not deleting and fence >= first and fence < first + taken then
        local found = call('HGET', keys.jobs, ids[i])
        if found then
          again[#again + 1] = cmsgpack.pack({ fence, ids[i], found })
        end
      end
    end
  end
  return again
end

return replay
