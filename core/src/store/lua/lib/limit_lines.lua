-- Jobs that wait at limits. Each limit has a line, a sorted set in the order in which jobs came. A job waits in the line of one limit that refuses
-- it. When the limit allows the next start, it is the turn of the first job: that goes to the front of its queue, and is asked about all its limits
-- when a worker takes it. It keeps its place in the line until then. `limit_turns` has an entry for each line: the job whose turn it is, or ''.
local clock = require('clock')
local event_kinds = require('event_kinds')
local extras = require('extras')
local keys = require('keys')
local limit_state = require('limit_state')
local rare_keys = require('rare_keys')
local script = require('script')
local special = require('special')
local events = lazy('events')
local matching = lazy('matching')
local call = redis.call
local lines = {}

-- Turns that one call gives. The rest follows at once, in other calls.
local budget = 100
-- Limits whose lines may move, and by limit the jobs that do not use it any more: ids, and those that are over.
local noted, is_noted, freed = {}, {}, {}

local function line_of(name)
  return keys.of('limited', name)
end

-- The line of this limit may move: `settle` looks at it.
function lines.note(name)
  if not is_noted[name] then
    is_noted[name] = true
    noted[#noted + 1] = name
  end
end

-- The limit that refuses a job, or nil. wanted: {name, cost} of each of its limits. Jobs that wait come first.
function lines.refusing(states, id, wanted)
  for _, limit in ipairs(wanted) do
    local state = states[limit.name]
    if state.turn and state.turn ~= id or not limit_state.allows(state, limit.cost) then
      state.turn = state.turn or ''
      return limit.name
    end
  end
  return nil
end

-- The place of a job in a line it leaves, and it gives its turn to others.
local function leave_line(states, id, wanted, except)
  local score
  for _, limit in ipairs(wanted) do
    local name = limit.name
    if states[name].turn == id then
      if name ~= except then
        score = call('ZSCORE', line_of(name), id) or score
        call('ZREM', line_of(name), id)
      end
      call('HSET', rare_keys.limit_turns, name, '')
      states[name].turn = ''
      lines.note(name)
    end
  end
  return score
end

-- A job was admitted by all its limits.
function lines.start(states, id, wanted)
  for _, limit in ipairs(wanted) do
    limit_state.start(states[limit.name], id, limit.cost)
  end
  leave_line(states, id, wanted)
end

-- A job that its limits let through waits for its resource: others start meanwhile, and it is asked again.
function lines.leave(states, id, wanted)
  leave_line(states, id, wanted)
  for _, limit in ipairs(wanted) do
    -- One that was queued before all others has a place without a turn.
    if call('ZREM', line_of(limit.name), id) == 1 then
      lines.note(limit.name)
    end
  end
end

-- Blocks jobs at a limit that refuses them, in this order. A job that waited at another limit keeps its order, and one whose worker crashed comes
-- first. jobs: {id, wanted, 1 if it crashed} of each.
function lines.block(states, name, jobs)
  local scored, ids = {}, {}
  for i, job in ipairs(jobs) do
    local score = leave_line(states, job.id, job.wanted, name)
    if not score and job.crashed then
      score = (tonumber(call('ZRANGE', line_of(name), 0, 0, 'WITHSCORES')[2]) or 0) - 1
    end
    scored[2 * i - 1], scored[2 * i], ids[i] = score or special.sequence + i, job.id, job.id
    if clock.recording then
      events().blocked(events().BY_LIMIT, name, job.id)
    end
  end
  special.advance(#ids)
  call('HSETNX', rare_keys.limit_turns, name, '')
  call('ZADD', line_of(name), 'NX', unpack(scored))
  call('SADD', rare_keys.blocked, unpack(ids))
  lines.note(name)
end

local function free(name, id, over)
  local lists = freed[name]
  if not lists then
    lists = { ids = {}, over = {} }
    freed[name] = lists
    lines.note(name)
  end
  lists.ids[#lists.ids + 1] = id
  if over then
    lists.over[#lists.over + 1] = id
  end
end

-- A job leaves its worker or (over) exists no longer: other jobs may start.
function lines.free(id, wanted, over)
  for _, limit in ipairs(wanted) do
    free(limit.name, id, over)
  end
end

-- As `free`, for jobs that are over and have no other options. names: the limits of the last of the ids. An element that is not a list is the resource
-- of its job: returns these.
function lines.free_all(ids, names)
  local resources, before = {}, #ids - #names
  for i, list in ipairs(names) do
    if type(list) == 'table' then
      for _, name in ipairs(list) do
        free(name, ids[before + i], true)
      end
    else
      resources[#resources + 1] = list
    end
  end
  return resources
end

-- A job leaves its worker and is queued before all others: it has the first place in lines.
function lines.keep_place(id, wanted)
  for _, limit in ipairs(wanted) do
    local first = call('ZRANGE', line_of(limit.name), 0, 0, 'WITHSCORES')[2]
    if first then
      call('ZADD', line_of(limit.name), tonumber(first) - 1, id)
    end
  end
end

-- Removes a job that is blocked from its line.
function lines.unblock(id, wanted)
  for _, limit in ipairs(wanted) do
    if call('ZREM', line_of(limit.name), id) == 1 then
      lines.note(limit.name)
    end
  end
end

-- Writes what `free` gathered, before other jobs are asked about the same limits.
function lines.write_freed()
  for name, lists in pairs(freed) do
    limit_state.stop(name, lists.ids)
    local turn = #lists.over > 0 and call('HGET', rare_keys.limit_turns, name)
    if turn then
      call('ZREM', line_of(name), unpack(lists.over))
      for _, id in ipairs(lists.over) do
        if id == turn then
          call('HSET', rare_keys.limit_turns, name, '')
        end
      end
    end
  end
  freed = {}
end

local function forget_line(name)
  call('HDEL', rare_keys.limit_turns, name)
  limit_state.disarm(name)
end

-- The cost of a job at a limit; nil if the job does not have it.
local function cost_of(name, found)
  for _, limit in ipairs(found and extras.of(found).limits or {}) do
    if limit.name == name then
      return limit.cost
    end
  end
  return nil
end

-- The job goes to the front of its queue. Returns whether it waits there now for a worker.
local function give_turn(name, id, found)
  budget = budget - 1
  call('HSET', rare_keys.limit_turns, name, id)
  if call('SREM', rare_keys.blocked, id) == 1 then
    if clock.recording then
      events().note_job(event_kinds.WAITING, id, found)
    end
    matching().enqueue({ id }, { found }, true)
  end
  return call('HGET', rare_keys.limit_turns, name) == id
end

-- Gives turns while the limit allows starts.
local function advance(name)
  local turn = call('HGET', rare_keys.limit_turns, name)
  while turn do
    local first = call('ZRANGE', line_of(name), 0, 0)[1]
    if not first then
      return forget_line(name)
    elseif first == turn then
      return
    end
    local found = call('HGET', keys.jobs, first)
    local cost = cost_of(name, found)
    if not cost or call('HEXISTS', keys.owner, first) == 1 then
      -- The job was altered, or it runs: it does not wait here.
      call('ZREM', line_of(name), first)
    else
      local allowed, at = limit_state.allows(limit_state.load({ name })[name], cost)
      if not allowed or budget <= 0 then
        return lines.wait(name, allowed and 0 or at, extras.of(found).task)
      elseif give_turn(name, first, found) then
        return
      end
    end
    turn = call('HGET', rare_keys.limit_turns, name)
  end
end

-- The line moves at a time, or at once in another call (0), or when a job ends (nil).
function lines.wait(name, at, task)
  if not at then
    return limit_state.disarm(name)
  end
  local due = limit_state.arm(name, at)
  if not script.soonest or due < script.soonest then
    script.soonest, script.soonest_task = due, task
  end
end

local settling = false

-- Lets lines move as far as limits allow.
function lines.settle()
  lines.write_freed()
  if settling then
    return
  end
  settling = true
  while #noted > 0 do
    local name = table.remove(noted)
    is_noted[name] = nil
    advance(name)
    lines.write_freed()
  end
  settling = false
end

script.flush.limits = lines.settle

return lines
