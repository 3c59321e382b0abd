-- Fences follow the server's clock, so that they grow even after Redis has lost its data.
local clock = require('clock')
local limits = require('limits')
local meta = require('meta')

local last = math.floor(meta.number('fence', meta.fence, 0, limits.FENCE) or 0)
local fences = {}

-- Returns the first of `number` consecutive new fences.
function fences.next(number)
  local first = math.max(last + 1, clock.micros)
  last = first + number - 1
  meta.remember('fence', last)
  return first
end

return fences
