-- Fences grow with the server's clock, so that they do when Redis has lost its data.
local clock = require('clock')
local limits = require('limits')
local meta = require('meta')

local last = math.floor(meta.number('fence', meta.fence, 0, limits.FENCE) or 0)
local fences = {}

-- The first of `number` new fences, which follow each other.
function fences.next(number)
  local first = math.max(last + 1, clock.micros)
  last = first + number - 1
  meta.remember('fence', last)
  return first
end

return fences
