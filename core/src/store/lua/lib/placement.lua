-- Assigns plain jobs to the least loaded members with credit; queues the others in `ready:0`.
local assignment = require('assignment')
local keys = require('keys')
local meta = require('meta')
local ranking = require('ranking')
local record = require('record')
local script = require('script')
local matching = lazy('matching')
local call = redis.call

local placement = {
  -- Set when a member died. Others may have died with it whose leases have not ended yet: jobs are assigned only to members with a fresh lease.
  wary = false,
}

-- Distributes jobs one by one to the members at `level`. Returns the members with credit left, and the rest of the count.
local function fill(level, open, loads, credits, share, count)
  local still = {}
  for _, i in ipairs(open) do
    if count > 0 and loads[i] + share[i] <= level and share[i] < credits[i] then
      share[i] = share[i] + 1
      count = count - 1
    end
    if share[i] < credits[i] then
      still[#still + 1] = i
    end
  end
  return still, count
end

-- How many of `count` jobs are assigned to each of the ranked members: the least loaded first, ties in their order.
function placement.shares(loads, credits, count)
  local share, open, joined = {}, {}, 0
  local level = loads[1]
  for i = 1, #loads do
    share[i] = 0
  end
  while count > 0 do
    while joined < #loads and loads[joined + 1] <= level do
      joined = joined + 1
      open[#open + 1] = joined
    end
    open, count = fill(level, open, loads, credits, share, count)
    if #open > 0 then
      level = level + 1
    elseif joined < #loads then
      level = loads[joined + 1]
    else
      break
    end
  end
  return share
end

-- The least loaded members with credit, up to the number of jobs; nil if one of them is not plain.
local function ranked_members(count)
  local ranked = call('ZRANGE', keys.load, 0, count - 1, 'WITHSCORES')
  local incs, loads, credits = {}, {}, {}
  for i = 1, #ranked, 2 do
    local score = tonumber(ranked[i + 1])
    if not ranking.is_plain(score) then
      return nil
    end
    local n = #incs + 1
    incs[n], loads[n], credits[n] = ranked[i], ranking.active(score), ranking.credit(score)
  end
  return incs, loads, credits
end

-- Assigns plain jobs to the least loaded members. Returns how many, from the first on, or nil if a member is not plain.
local function place(ids, records)
  local incs, loads, credits = ranked_members(#ids)
  if not incs or #incs == 0 then
    return incs and 0
  end
  local share = #incs == 1 and { math.min(#ids, credits[1]) } or placement.shares(loads, credits, #ids)
  -- The jobs of one member are consecutive, so that their fences are.
  local placed, scores, full = 0, {}, {}
  for i, inc in ipairs(incs) do
    if share[i] > 0 then
      assignment.send(inc, ids, records, placed + 1, placed + share[i])
      placed = placed + share[i]
      if share[i] < credits[i] then
        scores[#scores + 1] = ranking.score(loads[i] + share[i], credits[i] - share[i])
        scores[#scores + 1] = inc
      else
        full[#full + 1] = inc
      end
    end
  end
  if #scores > 0 then
    call('ZADD', keys.load, unpack(scores))
  end
  if #full > 0 then
    call('ZREM', keys.load, unpack(full))
  end
  return placed
end

local function are_plain(ids, records)
  for i = 1, #ids do
    if record.has_extras(records[i]) then
      return false
    end
  end
  return true
end

-- Assigns jobs; queues the rest behind all others or (front) before them. `known_plain`: none has extras.
function placement.enqueue(ids, records, front, known_plain)
  if #ids == 0 then
    return
  end
  script.in_hand[#script.in_hand + 1] = ids
  local plain = not meta.special and not placement.wary and (known_plain or are_plain(ids, records))
  local placed = plain and place(ids, records)
  if not placed then
    matching().enqueue(ids, records, front)
  elseif placed < #ids and front then
    local reversed = {}
    for i = #ids, placed + 1, -1 do
      reversed[#reversed + 1] = ids[i]
    end
    call('LPUSH', keys.ready, unpack(reversed))
  elseif placed < #ids then
    call('RPUSH', keys.ready, unpack(ids, placed + 1))
  end
end

return placement
