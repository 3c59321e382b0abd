-- Processes due entries, up to a limit.
local clock = require('clock')
local due_entries = require('due_entries')
local keys = require('keys')
local limits = require('limits')
local meta = require('meta')
local values = require('values')
local due = lazy('due')
local call = redis.call

-- The limit of entries in one call.
local PAGE = 200
-- The interval of pages of the sweep, in ms.
local SWEEP_EVERY = 1000
-- Members spread their rounds for due entries over the first, in ms; for entries that jobs wait for, over the second per member.
local SPREAD, SPREAD_PER_MEMBER = 100, 1

-- Removes results, numbers of batches and orders to workers that have expired. Returns the other entries.
local function expire_simple(entries)
  local over, results, others = {}, {}, {}
  for _, entry in ipairs(entries) do
    local kind, name = string.sub(entry, 1, 2), string.sub(entry, 3)
    if kind == due_entries.RESULT then
      results[#results + 1], over[#over + 1] = name, entry
    elseif kind == due_entries.LAST_BATCH then
      call('HDEL', keys.meta, 'add:' .. name)
      call('HDEL', keys.prefix .. 'orders', name)
      over[#over + 1] = entry
    else
      others[#others + 1] = entry
    end
  end
  -- First, because other entries may store new results for these ids.
  if #results > 0 then
    call('HDEL', keys.results, unpack(results))
  end
  if #over > 0 then
    call('ZREM', keys.due, unpack(over))
  end
  return others
end

-- The time until which no lease ends. After a long time without a tick, Redis was down, or its clock was set forward: live members renew first.
local function grace_end(lease)
  local grace = values.bounded(meta.grace, 0, clock.now + limits.LEASE) or 0
  local last = meta.ticked and math.min(values.bounded(meta.ticked, 0, clock.now) or 0, clock.last_now or 0)
  if last and clock.now - last > lease / 2 then
    grace = clock.now + math.floor(lease / 3)
    meta.remember('grace', grace)
  end
  return grace
end

local function first_due()
  return unpack(call('ZRANGE', keys.due, 0, 0, 'WITHSCORES'))
end

-- Returns the milliseconds until the next due entry, and over how many milliseconds members should spread their rounds for it.
local function tick(lease)
  local now = clock.now
  local grace = grace_end(lease)
  meta.remember('now', now)
  meta.remember('ticked', now)
  local entry, time = first_due()
  if time and tonumber(time) <= now then
    local others = expire_simple(call('ZRANGEBYSCORE', keys.due, '-inf', now, 'LIMIT', 0, PAGE))
    if #others > 0 then
      due().process(others, grace)
    end
    entry, time = first_due()
  end
  if meta.protocol and now - (values.bounded(meta.swept, 0, now) or 0) > SWEEP_EVERY then
    due().sweep()
  end
  -- Leases that have expired during the grace are processed when it ends.
  local soonest = tonumber(time) or now + lease
  if entry and string.sub(entry, 1, 2) == due_entries.LEASE then
    soonest = math.max(soonest, math.min(grace, now + lease))
  end
  -- Jobs wait for such an entry: few members send a round at once each; of many, one or few do.
  local spread = SPREAD
  if entry and string.find(due_entries.OF_JOBS, string.sub(entry, 1, 1), 1, true) then
    spread = math.min(SPREAD, SPREAD_PER_MEMBER * call('SCARD', keys.members))
  end
  return math.max(0, soonest - now), spread
end

return tick
