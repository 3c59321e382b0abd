-- The master that chooses workers. Jobs of its tasks wait until it has chosen, even if members could accept them. An entry in its inbox notifies it,
-- once until it looks. If it takes too long, an entry of `due` lets the waiting jobs be assigned by default.
local clock = require('clock')
local due_entries = require('due_entries')
local inbox = require('inbox')
local inbox_kinds = require('inbox_kinds')
local keys = require('keys')
local meta = require('meta')
local special = require('special')
local spreading = lazy('spreading')
local call = redis.call
local chooser = {}

local by_default = false

function chooser.is_chosen(task)
  if not special.chooser or by_default then
    return false
  end
  for _, name in ipairs(special.chooser.tasks) do
    if name == task then
      return true
    end
  end
  return #special.chooser.tasks == 0
end

local function set_asked(on)
  if special.asked ~= on then
    special.asked = on
    meta.remember('asked', on and '1' or '')
  end
end

local function start_waiting()
  call('ZADD', keys.due, 'NX', clock.now + special.chooser.time, due_entries.CHOICE)
end

local function stop_waiting()
  call('ZREM', keys.due, due_entries.CHOICE)
end

-- Notifies the chooser that jobs wait for a choice.
function chooser.ask()
  if not special.asked then
    set_asked(true)
    start_waiting()
    inbox.post(special.chooser.inc, inbox_kinds.CHOOSE, '')
  end
end

-- packed: msgpack {incarnation, time in ms, tasks}, or nil.
function chooser.set(packed)
  set_asked(false)
  stop_waiting()
  special.set_chooser(packed)
end

-- The incarnation of the chooser, or ''.
function chooser.incarnation()
  return special.chooser and special.chooser.inc or ''
end

-- The chooser has looked: it is notified again of jobs that come from now on.
function chooser.looked(there)
  set_asked(false)
  if there then
    start_waiting()
  else
    stop_waiting()
  end
end

-- The chooser has chosen. Jobs that came meanwhile have their own time limit.
function chooser.answered()
  stop_waiting()
  if special.asked then
    start_waiting()
  end
end

-- The chooser took too long, or is gone: assigns the waiting jobs without it.
function chooser.choose_by_default()
  set_asked(false)
  by_default = true
  local cursor = spreading().spread(special.matching)
  meta.remember('matching', cursor)
  if cursor ~= '' then
    call('ZADD', keys.due, clock.now, due_entries.CHOICE)
  else
    stop_waiting()
  end
  by_default = false
end

function chooser.gone(inc)
  if chooser.incarnation() == inc then
    chooser.set(nil)
    chooser.choose_by_default()
  end
end

return chooser
