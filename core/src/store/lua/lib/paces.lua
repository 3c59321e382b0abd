-- How fast calls go through queues. While jobs wait at limits, most of those that follow may have to wait, too. Calls are shorter then, so that jobs
-- start as soon as a limit lets them.
local limits = require('limits')
local rare_keys = require('rare_keys')
local paces = {}

-- Entries that one that is not assigned counts for, because it is decoded and moved; and while jobs wait at limits.
local SKIPPED, SKIPPED_LIMITED = 3, 10

local function is_limited()
  return redis.call('EXISTS', rare_keys.limit_turns) == 1
end

-- How many of `want` entries, which are more than FEW, are read at once.
function paces.at_once(want)
  return is_limited() and limits.FEW or want
end

-- What so many entries that were read and not assigned count for besides.
function paces.extra(number)
  return number * ((is_limited() and SKIPPED_LIMITED or SKIPPED) - 1)
end

return paces
