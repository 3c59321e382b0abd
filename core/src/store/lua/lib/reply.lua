-- Every command returns through this function: it writes the changes that were gathered in the call.
local keys = require('keys')
local script = require('script')

local function reply(answer)
  if READ_ONLY then
    return answer
  end
  script.settle()
  local flush = script.flush
  if flush.notices then
    flush.notices()
  end
  if flush.messages then
    flush.messages()
  end
  if flush.events then
    flush.events()
  end
  if flush.metrics then
    flush.metrics()
  end
  if flush.clock then
    flush.clock()
  end
  if #script.changes > 0 and not script.discarded then
    redis.call('HSET', keys.meta, unpack(script.changes))
  end
  return answer
end

return reply
