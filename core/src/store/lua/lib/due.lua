-- Processes due entries, except those that tick.lua handles itself.
local broadcast = require('broadcast')
local chooser = require('chooser')
local clock = require('clock')
local damage = require('damage')
local delays = require('delays')
local edges = lazy('edges')
local flow_building = lazy('flow_building')
local flows = lazy('flows')
local departure = require('departure')
local due_entries = require('due_entries')
local failures = require('failures')
local firing = lazy('firing')
local history = lazy('history')
local limit_lines = lazy('limit_lines')
local keys = require('keys')
local metric_folding = lazy('metric_folding')
local recovery = require('recovery')
local suspects = require('suspects')
local sweep = require('sweep')
local timeouts = require('timeouts')
local unique_keys = lazy('unique_keys')
local call = redis.call
local due = {}

local function expire_timeout(kind, id)
  local entry = kind .. id
  -- An earlier due entry may have started another execution, to whose timeout this entry belongs now.
  if (tonumber(call('ZSCORE', keys.due, entry) or '') or clock.now + 1) <= clock.now then
    call('ZREM', keys.due, entry)
    timeouts.expire(kind, id)
  end
end

-- By kind. A handler returns true if this call must process nothing more.
local handlers = {
  [due_entries.LEASE] = function(_, inc)
    return not departure.remove(inc, true)
  end,
  [due_entries.DELAYED] = delays.expire,
  [due_entries.CHOICE] = chooser.choose_by_default,
  [due_entries.TRIAL] = function(_, id)
    suspects.probe(id)
  end,
  [due_entries.FAILED] = failures.expire,
  [due_entries.SWEEP] = function()
    sweep.run(true)
  end,
  [due_entries.SCHEDULE] = function(_, id)
    firing().expire(id)
  end,
  [due_entries.LIMIT] = function(_, name)
    limit_lines().note(name)
    limit_lines().settle()
  end,
  [due_entries.UNIQUE] = function(_, key)
    unique_keys().expire(key)
  end,
  [due_entries.SETTLE] = function()
    edges().continue()
  end,
  [due_entries.STAGE] = function(_, nonce)
    flow_building().expire(nonce)
  end,
  [due_entries.FLOW] = function(_, flow)
    flows().expire(flow)
  end,
  [due_entries.COMPLETED] = function()
    history().expire()
  end,
  [due_entries.BROADCAST] = broadcast.continue,
  [due_entries.ASSIGN_TIMEOUT] = expire_timeout,
  [due_entries.RUN_TIMEOUT] = expire_timeout,
  [due_entries.TOTAL_TIMEOUT] = expire_timeout,
}

local function process(kind, name)
  local handler = handlers[kind]
  if not handler then
    error('this kind is unknown')
  end
  return handler(kind, name)
end

-- Processes entries of `due`. An entry that fails is removed and recorded, so that it does not block the following ones.
function due.process(entries, grace)
  for _, entry in ipairs(entries) do
    local kind, name = string.sub(entry, 1, 2), string.sub(entry, 3)
    if kind ~= due_entries.LEASE or clock.now >= grace then
      local fine, result = pcall(process, kind, name)
      if not fine then
        call('ZREM', keys.due, entry)
        recovery.mend_types()
        recovery.look_everywhere()
        damage.note(entry, damage.text_of(result))
        if kind == due_entries.LEASE then
          departure.forget(name)
        end
      elseif result then
        return
      end
    end
  end
end

-- Processes a page of the sweep, and one of counts for metrics, once a second.
function due.sweep()
  local fine, failure = pcall(sweep.run, false)
  if not fine then
    recovery.mend_types()
    damage.note('sweep', damage.text_of(failure))
  end
  fine, failure = pcall(metric_folding().run)
  if not fine then
    recovery.mend_types()
    damage.note('metrics', damage.text_of(failure))
  end
end

return due
