-- Takes waiting jobs for one member.
local admission = require('admission')
local chooser = require('chooser')
local keys = require('keys')
local limits = require('limits')
local meta = require('meta')
local paces = require('paces')
local pauses = require('pauses')
local queue_heads = require('queue_heads')
local queues = require('queues')
local resources = require('resources')
local workers = require('workers')
local call = redis.call
local taking = {}

-- The queues from which a worker takes, by priority, highest first: {priority, queues, ready if `ready:0` is among them}, ...
local function levels_of(worker)
  local levels, at = {}, {}
  local function level(priority)
    if not at[priority] then
      at[priority] = { priority = priority, queues = {} }
      levels[#levels + 1] = at[priority]
    end
    return at[priority]
  end
  for _, task in ipairs(worker.tasks) do
    if chooser.is_chosen(task) and not pauses.is_paused(task) then
      if task == '' and call('EXISTS', keys.ready) == 1 or call('EXISTS', queues.priorities_of(task)) == 1 then
        chooser.ask()
      end
    elseif not pauses.is_paused(task) then
      if task == '' and call('EXISTS', keys.ready) == 1 then
        level(0).ready = true
      end
      for _, queue in ipairs(queues.of_task(task)) do
        local here = level(queue.priority).queues
        here[#here + 1] = queue
      end
    end
  end
  table.sort(levels, function(a, b)
    return a.priority > b.priority
  end)
  return levels
end

-- Takes jobs of one priority while the worker has free slots for it; pop(most) removes them from queues.
local function drain(state, priority, pop)
  while #state.ids < state.limit and state.budget > 0 do
    local want = math.min(workers.free_slots(state.worker, priority, state.limit - #state.ids), state.budget, state.at_once)
    if want < 1 then
      return
    end
    local ids, records, popped, all = pop(want)
    local found = #ids
    ids, records = admission.admit(ids, records)
    state.budget, state.popped = state.budget - popped, state.popped + popped
    if #ids < found then
      state.budget = state.budget - paces.extra(found - #ids)
    end
    workers.use_slots(state.worker, priority, #ids)
    if #state.ids == 0 then
      state.ids, state.records = ids, records
    else
      for i, id in ipairs(ids) do
        state.ids[#state.ids + 1], state.records[#state.records + 1] = id, records[i]
      end
    end
    if all then
      return
    end
  end
end

-- Takes waiting jobs for a worker with this much credit. Returns ids, records, and whether others are left that it could accept.
function taking.take(worker, credit)
  resources.settle()
  local limit = math.min(credit, meta.move_limit)
  local at_once = limit > limits.FEW and paces.at_once(limit) or limit
  local state = { worker = worker, ids = {}, records = {}, budget = limits.LOOKED_AT, limit = limit, at_once = at_once }
  repeat
    state.popped = 0
    for _, level in ipairs(levels_of(worker)) do
      if level.ready then
        drain(state, level.priority, queue_heads.pop_ready)
      end
      if #level.queues > 0 then
        drain(state, level.priority, function(want)
          return queue_heads.pop(level.queues, want)
        end)
      end
    end
  until state.popped == 0 or #state.ids >= state.limit or state.budget <= 0
  return state.ids, state.records, #state.ids < credit and (#state.ids >= state.limit or state.budget <= 0)
end

return taking
