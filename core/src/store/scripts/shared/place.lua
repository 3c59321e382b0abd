-- Matching of jobs and members. A member in LOAD has credit: it asked for that many jobs more. Its score says three things, the number of jobs
-- it holds first: active * 65536 + (32767 - credit) * 2 + 1 if it has tasks or guaranteed slots of its own. Credit is at most 20,000.
local function score_of(active, credit, own)
  return active * 65536 + (32767 - credit) * 2 + (own and 1 or 0)
end

local function credit_of(score)
  return 32767 - math.floor(score % 65536 / 2)
end

local function active_of(score)
  return math.floor(score / 65536)
end

-- Makes `inc` the owner of jobs ids[from..to], with fences from `fence` on.
local function own(inc, ids, from, to, fence)
  local owners = {}
  local n = 0
  for i = from, to do
    owners[n + 1] = ids[i]
    owners[n + 2] = string.format('%d:%s', fence + i - from, inc)
    n = n + 2
  end
  call('HSET', OWNER, unpack(owners))
  call('SADD', key_of('active', inc), unpack(ids, from, to))
end

-- How many of `count` jobs each of the ranked members gets: the least loaded first, ties in their order.
local function shares(loads, credits, count)
  local share, active, joined = {}, {}, 0
  local level = loads[1]
  for i = 1, #loads do
    share[i] = 0
  end
  while count > 0 do
    while joined < #loads and loads[joined + 1] <= level do
      joined = joined + 1
      active[#active + 1] = joined
    end
    local still = {}
    for _, i in ipairs(active) do
      if count > 0 and loads[i] + share[i] <= level and share[i] < credits[i] then
        share[i] = share[i] + 1
        count = count - 1
      end
      if share[i] < credits[i] then
        still[#still + 1] = i
      end
    end
    active = still
    if #active > 0 then
      level = level + 1
    elseif joined < #loads then
      level = loads[joined + 1]
    else
      break
    end
  end
  return share
end

-- Hands ids[from..to] to `inc`, in its inbox. They are in JOBS and have no owner; ids and records are parallel.
local function hand(inc, ids, records, from, to)
  local fence = new_fences(to - from + 1)
  local entry = { fence }
  local n = 1
  for i = from, to do
    entry[n + 1] = ids[i]
    entry[n + 2] = records[i]
    n = n + 2
  end
  -- First, because it can fail: nobody owns what nobody was told of.
  call('XADD', key_of('inbox', inc), '*', 'j', cmsgpack.pack(entry))
  own(inc, ids, from, to, fence)
end

-- Gives plain jobs to the least loaded members that have credit; returns how many, from the first on, or nil if a member is not plain.
local function place(ids, records)
  local count = #ids
  local ranked = call('ZRANGE', LOAD, 0, count - 1, 'WITHSCORES')
  if #ranked == 0 then
    return 0
  end
  local incs, loads, credits = {}, {}, {}
  for i = 1, #ranked, 2 do
    local score = tonumber(ranked[i + 1])
    if score % 2 == 1 then
      return nil
    end
    incs[#incs + 1] = ranked[i]
    loads[#loads + 1] = active_of(score)
    credits[#credits + 1] = credit_of(score)
  end
  local share = #incs == 1 and { math.min(count, credits[1]) } or shares(loads, credits, count)
  -- The jobs of one member are neighbours, so that their fences are.
  local placed, scores, full = 0, {}, {}
  for i, inc in ipairs(incs) do
    if share[i] > 0 then
      hand(inc, ids, records, placed + 1, placed + share[i])
      placed = placed + share[i]
      if share[i] < credits[i] then
        scores[#scores + 1] = score_of(loads[i] + share[i], credits[i] - share[i])
        scores[#scores + 1] = inc
      else
        full[#full + 1] = inc
      end
    end
  end
  if #scores > 0 then
    call('ZADD', LOAD, unpack(scores))
  end
  if #full > 0 then
    call('ZREM', LOAD, unpack(full))
  end
  return placed
end

-- A member died. Others may have died with it whose leases go on for a while: jobs are given only to those heard of lately.
local wary = false

-- Places jobs; those left over wait, behind all others or (front) before them. `known_plain`: none has extras.
local function enqueue(ids, records, front, known_plain)
  if #ids == 0 then
    return
  end
  in_hand[#in_hand + 1] = ids
  local plain = not special and not wary
  for i = 1, plain and not known_plain and #ids or 0 do
    if has_extras(records[i]) then
      plain = false
      break
    end
  end
  local placed = plain and place(ids, records)
  if not placed then
    return extras().enqueue(ids, records, front)
  end
  if placed < #ids then
    if front then
      local reversed = {}
      for i = #ids, placed + 1, -1 do
        reversed[#reversed + 1] = ids[i]
      end
      call('LPUSH', READY, unpack(reversed))
    else
      call('RPUSH', READY, unpack(ids, placed + 1))
    end
  end
end
