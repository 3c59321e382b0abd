-- What limits allow. A rate is kept as the time at which its bucket is full again (the generic cell rate algorithm); the jobs that use a limit are a
-- set. Times are on the cluster's clock, in microseconds.
local clock = require('clock')
local due_entries = require('due_entries')
local keys = require('keys')
local limits = require('limits')
local rare_keys = require('rare_keys')
local values = require('values')
local call = redis.call

local limit_state = {
  -- Places in the figures of a limit, which are msgpack; 0 for none.
  RATE = 1, -- jobs in each period
  PERIOD = 2, -- ms
  BURST = 3, -- jobs that may start at once
  CONCURRENCY = 4, -- active jobs
}
-- Limits that are read at once: Lua passes at most 8,000 values to a call.
local AT_ONCE = 1000
local MAX_RATE = 1000000

local now = clock.micros + clock.offset * 1000

-- A limit `<group>:<name>` without figures of its own has those of `<group>:*`.
local function pattern_of(name)
  local group = string.match(name, '^(.*:)')
  return group and group .. '*' or name
end

limit_state.pattern_of = pattern_of

-- The figures of a limit; nil if it has none, or if they cannot be read.
local function read_figures(packed)
  local found = packed and values.unpacked(packed)
  if type(found) ~= 'table' then
    return nil
  end
  local rate = values.bounded(found[limit_state.RATE], 0, MAX_RATE)
  local period = values.bounded(found[limit_state.PERIOD], 1, limits.LEASE)
  local burst = values.bounded(found[limit_state.BURST], 1, MAX_RATE)
  local concurrency = values.bounded(found[limit_state.CONCURRENCY], 0, MAX_RATE)
  if not (rate and period and burst and concurrency) then
    return nil
  end
  return { rate = rate, period = period, burst = burst, concurrency = concurrency }
end

local function users_of(name)
  return keys.of('limit_users', name)
end

local function load_some(names, from, to, found)
  local fields, n = {}, 0
  for i = from, to do
    fields[n + 1], fields[n + 2] = names[i], pattern_of(names[i])
    n = n + 2
  end
  local figures = call('HMGET', rare_keys.limits, unpack(fields))
  local times = call('ZMSCORE', rare_keys.limit_times, unpack(names, from, to))
  local turns = call('HMGET', rare_keys.limit_turns, unpack(names, from, to))
  for i = from, to do
    local at = i - from + 1
    local own = read_figures(figures[2 * at - 1] or figures[2 * at])
    found[names[i]] = {
      figures = own,
      interval = own and own.rate > 0 and own.period * 1000 / own.rate or 0,
      burst = own and own.burst or 1,
      full_at = values.bounded(times[at], 0, limits.LATEST * 1000) or 0,
      used = own and own.concurrency > 0 and call('SCARD', users_of(names[i])) or 0,
      concurrency = own and own.concurrency or 0,
      -- The job whose turn it is, '' if it is nobody's; nil if no job waits.
      turn = turns[at] or nil,
      starting = {},
    }
  end
end

-- The states of limits by name.
function limit_state.load(names)
  local found = {}
  for from = 1, #names, AT_ONCE do
    load_some(names, from, math.min(#names, from + AT_ONCE - 1), found)
  end
  return found
end

-- When a job of this cost may start as far as the rate is concerned. A cost above the burst needs a full bucket.
local function allowed_at(state, cost)
  return state.full_at + (math.min(cost, state.burst) - state.burst) * state.interval
end

-- Whether a job of this cost may start; if not, the time at which it may, or nil if a job must end first.
function limit_state.allows(state, cost)
  local at = allowed_at(state, cost)
  if at > now then
    return false, at
  end
  return state.concurrency == 0 or state.used < state.concurrency
end

-- A job starts. `write` stores it.
function limit_state.start(state, id, cost)
  if state.interval > 0 then
    state.full_at = math.max(state.full_at, now) + cost * state.interval
    state.changed = true
  end
  state.used = state.used + 1
  state.starting[#state.starting + 1] = id
end

-- Arguments of ZADD. Lua writes numbers with 14 digits.
local function note_time(scored, name, time)
  scored[#scored + 1], scored[#scored + 2] = string.format('%.2f', time), name
end

function limit_state.write(states)
  local scored = {}
  for name, state in pairs(states) do
    if state.changed then
      note_time(scored, name, state.full_at)
    end
    if #state.starting > 0 then
      call('SADD', users_of(name), unpack(state.starting))
    end
  end
  for from = 1, #scored, 2 * AT_ONCE do
    call('ZADD', rare_keys.limit_times, unpack(scored, from, math.min(#scored, from + 2 * AT_ONCE - 1)))
  end
end

-- Jobs that do not use a limit any more.
function limit_state.stop(name, ids)
  call('SREM', users_of(name), unpack(ids))
end

local LATER, EARLIER = 1, -1

-- Moves the times at which buckets are full in one direction only. time_of(state): in microseconds.
local function move(names, direction, time_of)
  local scored = {}
  for name, state in pairs(limit_state.load(names)) do
    local full_at = time_of(state)
    if (full_at - state.full_at) * direction > 0 then
      note_time(scored, name, full_at)
    end
  end
  if #scored > 0 then
    call('ZADD', rare_keys.limit_times, unpack(scored))
  end
end

-- No job starts for `pause` ms.
function limit_state.pause(names, pause)
  move(names, LATER, function(state)
    return now + pause * 1000 + (state.burst - 1) * state.interval
  end)
end

-- The figures changed: what earlier starts cost counts no longer than a whole bucket takes to fill.
function limit_state.shorten(names)
  move(names, EARLIER, function(state)
    return now + state.burst * state.interval
  end)
end

-- `due` has an entry at the time at which the next job may start.
function limit_state.arm(name, at)
  local due = math.ceil(at / 1000)
  call('ZADD', keys.due, due, due_entries.LIMIT .. name)
  return due
end

function limit_state.disarm(name)
  call('ZREM', keys.due, due_entries.LIMIT .. name)
end

-- Forgets times that are over, some of them.
function limit_state.forget_old()
  local old = call('ZRANGEBYSCORE', rare_keys.limit_times, '-inf', string.format('%.0f', now), 'LIMIT', 0, AT_ONCE)
  if #old > 0 then
    call('ZREM', rare_keys.limit_times, unpack(old))
  end
end

-- The figures, uses and waiting jobs of a limit, for inspections: {name, rate, period, burst, concurrency, users, jobs that wait, ms until the next
-- may start by the rate}.
function limit_state.describe(name)
  local found = {}
  load_some({ name }, 1, 1, found)
  local state = found[name]
  local own = state.figures or { rate = 0, period = 0, burst = 0, concurrency = 0 }
  local pause = math.max(0, math.ceil((allowed_at(state, 1) - now) / 1000))
  local users, waiting = call('SCARD', users_of(name)), call('ZCARD', keys.of('limited', name))
  return { name, own.rate, own.period, own.burst, own.concurrency, users, waiting, pause }
end

return limit_state
