-- Requests that workers with more active jobs than the mean release some for a worker that joined; these are assigned to the least loaded workers.
-- First the workers are counted, page by page; then those above the mean are notified, page by page.
-- KEYS  the fixed keys
-- ARGV  incarnation of the worker that joined, state of an earlier answer or ''
-- Returns  {state to call again with, or '' at the end, 1 if the load was uneven: call again later with ''; else 0}
local clock = require('clock')
local extras = require('extras')
local inbox = require('inbox')
local inbox_kinds = require('inbox_kinds')
local keys = require('keys')
local meta = require('meta')
local owner = require('owner')
local ranking = require('ranking')
local reply = require('reply')
local values = require('values')
local workers = require('workers')
local call = redis.call

-- Limits: members of one call, and jobs of one rebalance.
local PAGE, MOVES = 100, 1000
-- A worker that was notified less than this time ago, in ms, may still be stopping jobs.
local PAUSE = 5000

local joined = ARGV[1]
local worker = workers.read(joined)

-- phase: 'count' or 'move'; cursor of the members; number of workers; jobs that may still be moved; whether the load is uneven.
local function first_state()
  return { phase = 'count', cursor = '0', workers = 0, moves = MOVES, uneven = false }
end

local function read_state(packed)
  local state = packed ~= '' and values.unpacked(packed)
  return type(state) == 'table' and state or first_state()
end

local function is_worker(inc)
  return call('HGET', keys.of('member', inc), 'role') == 'worker'
end

-- The number of jobs that workers below the mean can accept, of the tasks that the new worker accepts. Only the least loaded workers are counted.
local function free_below(mean)
  local free, seen = 0, {}
  for _, task in ipairs(worker.tasks) do
    local ranked = call('ZRANGE', workers.load_of(task), 0, PAGE - 1, 'WITHSCORES')
    for i = 1, #ranked, 2 do
      local score = tonumber(ranked[i + 1])
      local below = math.ceil(mean) - ranking.active(score)
      if below > 0 and not seen[ranked[i]] then
        seen[ranked[i]] = true
        free = free + math.min(below, ranking.credit(score))
      end
    end
  end
  return free
end

-- Fences and ids of up to `most` jobs of a worker that the new worker could accept.
local function movable(inc, most)
  local ids = call('SRANDMEMBER', keys.of('active', inc), math.min(most, meta.move_limit))
  local list = {}
  if #ids == 0 then
    return list
  end
  local owners, records = call('HMGET', keys.owner, unpack(ids)), call('HMGET', keys.jobs, unpack(ids))
  for i, id in ipairs(ids) do
    local fence, _, deleting = owner.read(owners[i])
    if fence and not deleting and records[i] and workers.takes(worker, extras.of(records[i]).task) then
      list[#list + 1] = fence
      list[#list + 1] = id
    end
  end
  return list
end

-- Requests that a worker releases the jobs in excess of the mean.
local function ask(inc, excess)
  local asked = tonumber(call('HGET', keys.of('member', inc), 'moved')) or 0
  if clock.now - asked <= PAUSE then
    return 0
  end
  local list = movable(inc, excess)
  if #list > 0 then
    inbox.post(inc, inbox_kinds.MOVE, cmsgpack.pack(list))
    call('HSET', keys.of('member', inc), 'moved', clock.now)
  end
  return #list / 2
end

-- Processes the workers of one page. Limits the number of jobs that are read in one call.
local function move_page(state, incs)
  local mean = math.max(0, call('HLEN', keys.owner) - 1) / math.max(1, state.workers)
  local free = math.min(state.moves, free_below(mean))
  for _, inc in ipairs(incs) do
    local excess = math.min(call('SCARD', keys.of('active', inc)) - math.ceil(mean), free)
    if excess > 0 and is_worker(inc) then
      state.uneven = true
      local moved = ask(inc, excess)
      free, state.moves = free - moved, state.moves - moved
    end
  end
end

local state = read_state(ARGV[2])
local scanned = call('SSCAN', keys.members, state.cursor, 'COUNT', PAGE)
if state.phase == 'count' then
  for _, inc in ipairs(scanned[2]) do
    state.workers = state.workers + (is_worker(inc) and 1 or 0)
  end
else
  move_page(state, scanned[2])
end
state.cursor = scanned[1]
if state.cursor == '0' then
  if state.phase == 'move' then
    return reply({ '', state.uneven and 1 or 0 })
  end
  state.phase = 'move'
end
return reply({ cmsgpack.pack(state), state.uneven and 1 or 0 })
