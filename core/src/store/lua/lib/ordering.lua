-- Positions in sorted sets, relative to members that may have been removed.
local call = redis.call
local ordering = {}

-- The order that Redis uses for members with the same score: by bytes.
local function is_before(one, other)
  for i = 1, math.min(#one, #other) do
    local a, b = string.byte(one, i), string.byte(other, i)
    if a ~= b then
      return a < b
    end
  end
  return #one < #other
end

-- The number of members below (score, member), or (including) up to it.
local function count_below(key, score, member, including)
  local low = call('ZCOUNT', key, '-inf', '(' .. score)
  local high = low + call('ZCOUNT', key, score, score)
  while low < high do
    local middle = math.floor((low + high) / 2)
    local found = call('ZRANGE', key, middle, middle)[1]
    if is_before(found, member) or including and found == member then
      low = middle + 1
    else
      high = middle
    end
  end
  return low
end

-- The rank of the first member after (score, member), whether that still exists or not; in descending order if `reverse`.
function ordering.behind(key, score, member, reverse)
  if reverse then
    return call('ZCARD', key) - count_below(key, score, member, false)
  end
  return count_below(key, score, member, true)
end

return ordering
