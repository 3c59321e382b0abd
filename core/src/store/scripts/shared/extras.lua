-- What only some jobs and members have: priorities, tasks, resources, delays, timeouts, similar jobs, guaranteed slots. Made when first
-- needed, so that plain jobs do not pay for it. The function goes on in queues.lua, choice.lua, members.lua, ends.lua, due.lua and registry.lua, which share
-- its locals; script.rs closes it. Needs place.lua and finish.lua.
--
-- A job that has only a resource is common enough to be seen to without a look at all it might have: its flags have 64, but not 8, 16 and 32.
--
-- A job waits in one of: READY or the sorted set of its priority and task, DELAYED until it is due, parked:<resource> while another has the resource, similar:<key> while a similar
-- job is there; PARKED has the ids of the latter two. A suspect needs, besides its own, the resource '' for the first moments of an execution, so that
-- a worker that dies then tells which of them it was.
local made
function extras()
  if made then
    return made
  end
  local X = {}
  made = X

  local byte, band, parse = string.byte, bit.band, struct.unpack
  local function key(part)
    return PREFIX .. part
  end
  local DELAYED, PARKED, RESOURCES, STOPPING = key('delayed'), key('parked'), key('resources'), key('stopping')
  local SIMILAR, PROGRESS, TASKS = key('similar'), key('progress'), key('tasks')
  local LISTENERS, WATCHERS, DEAF = key('listeners'), key('watchers'), key('deaf')

  local INDEX, PAUSED = key('index'), key('paused')

  local more = call('HMGET', META, 'sequence', 'chooser', 'asked', 'matching')
  -- How many sorted sets there are, and the order of the job that came last. Jobs that have waited come before those that follow a damaged one.
  local queues, sequence = call('ZCARD', INDEX), bounded(more[1], 0, 9e15) or more[1] and micros or 0
  local pauses, paused = call('SCARD', PAUSED), {}

  -- The master that chooses workers, if any; see choice.lua.
  local chooser = more[2] and more[2] ~= '' and unpacked(more[2]) or nil
  if type(chooser) ~= 'table' or type(chooser[1]) ~= 'string' or not bounded(chooser[2], 0, LONGEST_LEASE) or type(chooser[3]) ~= 'table' then
    chooser = nil
  end
  local asked = more[3] == '1'

  local function set_special()
    special = queues > 0 or pauses > 0 or chooser ~= nil
    remember('special', special and '1' or '')
  end
  X.set_special = set_special

  -- No job of this task is given now; '*' stands for all.
  local function is_paused(task)
    if pauses == 0 then
      return false
    end
    if paused[task] == nil then
      local found = call('SMISMEMBER', PAUSED, '*', task)
      paused[task] = found[1] == 1 or found[2] == 1
    end
    return paused[task]
  end

  function X.pause(task, on)
    call(on and 'SADD' or 'SREM', PAUSED, task)
    pauses, paused = call('SCARD', PAUSED), {}
    set_special()
  end

  local YEAR, LARGEST = 31536000000, 9007199254740992

  local function is_name(value)
    return value == nil or type(value) == 'string' and #value > 0 and #value <= 256 and not string.find(value, '%c')
  end

  local function is_whole(value, least, most)
    return value == nil or type(value) == 'number' and value >= least and value <= most and value % 1 == 0
  end

  -- Reads a record; an error if it has what adding refuses.
  local function read(record)
    local flags = string.byte(record, 1)
    local extra, at = {}, after_deaths(record)
    local resource = resource_of(record)
    at = at + resource_length(record, at)
    assert(is_name(resource) and (resource or band(flags, 64) == 0))
    if bit.band(flags, 8) ~= 0 then
      if bit.band(flags, 2) ~= 0 then
        at = at + 5 + string.byte(record, at + 4)
      end
      local failed, length = parse('>BI2', record, at)
      extra = cmsgpack.unpack(string.sub(record, at + 3, at + 2 + length))
      assert(is_name(extra.k) and is_name(extra.s) and is_name(extra.o) and is_whole(extra.p, -LARGEST, LARGEST) and is_whole(extra.n, 0, 200))
      assert(is_whole(extra.a, 1, YEAR) and is_whole(extra.t, 1, YEAR) and is_whole(extra.e, 1, YEAR))
      extra.at, extra.failed, extra.length = at, failed, length
    end
    extra.r, extra.suspect = resource, bit.band(flags, 32) ~= 0
    return extra
  end

  local function text_of(value)
    return type(value) == 'string' and value ~= '' and value or nil
  end

  local known = {}

  -- The extras of a record: p priority, k task, r resource, s key of similar jobs, o member it is tied to, n retries; a, t, e
  -- timeouts in ms to be assigned, run and end; failed attempts; suspect. Those of a damaged record are those of a plain job, and `damaged`.
  function X.of(record)
    local extra = known[record]
    if extra then
      return extra
    end
    if has_extras(record) then
      local readable, found = pcall(read, record)
      extra = readable and found or { damaged = true }
    end
    extra = extra or { damaged = record == '' }
    extra.failed = extra.failed or 0
    extra.p, extra.n, extra.k = tonumber(extra.p) or 0, tonumber(extra.n) or 0, text_of(extra.k) or ''
    extra.r, extra.s, extra.o = text_of(extra.r), text_of(extra.s), text_of(extra.o)
    extra.a, extra.t, extra.e = tonumber(extra.a), tonumber(extra.t), tonumber(extra.e)
    known[record] = extra
    return extra
  end

  function X.with_failed(record, extra, failed)
    if not extra.at then
      return record
    end
    return string.sub(record, 1, extra.at - 1) .. string.char(math.min(failed, 255)) .. string.sub(record, extra.at + 1)
  end

  -- The record, tied to another member.
  local function retied(record, extra, inc)
    local raw = cmsgpack.unpack(string.sub(record, extra.at + 3, extra.at + 2 + extra.length))
    raw.o = inc
    local packed = cmsgpack.pack(raw)
    return string.sub(record, 1, extra.at) .. struct.pack('>I2', #packed) .. packed .. string.sub(record, extra.at + 3 + extra.length)
  end

  -- Keys that only these jobs make, besides those of queues, resources and members.
  X.keys = { delayed = DELAYED, parked = PARKED, resources = RESOURCES, stopping = STOPPING, similar = SIMILAR, progress = PROGRESS, tasks = TASKS,
    index = INDEX, paused = PAUSED,
    listeners = LISTENERS, watchers = WATCHERS, deaf = DEAF }
