-- Every command returns through this function: it writes the changes that were gathered in the call.
local keys = require('keys')
local script = require('script')

local function reply(answer)
  if READ_ONLY then
    return answer
  end
  script.settle()
  script.write('notices')
  script.write('messages')
  script.write('events')
  script.write('metrics')
  script.write('clock')
  if #script.changes > 0 and not script.discarded then
    redis.call('HSET', keys.meta, unpack(script.changes))
  end
  return answer
end

return reply
