-- Records damage, for people.
local meta = require('meta')
local rare_keys = require('rare_keys')
local damage = {}

local MAX_NOTES, MAX_NAME, MAX_TEXT = 1000, 300, 500

function damage.found()
  meta.count('damaged', 1)
end

-- Records data that could not be processed.
function damage.note(name, text)
  damage.found()
  if redis.call('HLEN', rare_keys.damaged) < MAX_NOTES then
    redis.call('HSET', rare_keys.damaged, string.sub(name, 1, MAX_NAME), string.sub(text, 1, MAX_TEXT))
  end
end

function damage.text_of(failure)
  return type(failure) == 'table' and failure.err or tostring(failure)
end

return damage
