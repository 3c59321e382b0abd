-- What only some jobs and members have: priorities, tasks, resources, delays, timeouts, similar jobs, guaranteed slots. Made when first
-- needed, so that plain jobs do not pay for it. The function goes on in queues.lua, choice.lua, members.lua, ends.lua, due.lua and registry.lua, which share
-- its locals; script.rs closes it. Needs place.lua and finish.lua.
--
-- A job that has only a resource is common enough to be seen to without a look at all it might have: its flags have 64, but not 8, 16 and 32.
--
-- A job waits in one of: READY or the sorted set of its priority and task, DELAYED until it is due, blocked:<resource> while another has the resource, similar:<key> while a similar
-- job is there; BLOCKED has the ids of the latter two. A suspect needs, besides its own, the resource '' for the first moments of an execution, so that
-- a worker that dies then tells which of them it was.
local made
function extras()
  if made then
    return made
  end
  local X = {}
  made = X

  local byte, band, parse = string.byte, bit.band, struct.unpack

  -- The resource, if the record has one.
  local function resource_of(record)
    local at = after_crashes(record)
    local length = resource_length(record, at)
    return length > 2 and #record >= at + length - 1 and string.sub(record, at + 2, at + length - 1) or nil
  end

  local function crashes_of(record)
    return bit.band(string.byte(record, 1) or 0, 4) ~= 0 and string.byte(record, 2) or 0
  end

  local function with_crashes(record, crashes, suspect)
    local flags = string.byte(record, 1) or 0
    return string.char(bit.bor(bit.band(flags, 95), 4, suspect and 32 or 0), crashes) .. string.sub(record, after_crashes(record))
  end

  -- Says of an entry of READY that it is dead. Searching a long list for it would cost more.
  local function bury(id)
    call('HSET', TOMBSTONES, id, (bounded(call('HGET', TOMBSTONES, id), 0, 1e9) or 0) + 1)
    tombstones = tombstones + 1
    local length = call('LLEN', READY)
    if tombstones >= length then
      call('UNLINK', READY, TOMBSTONES)
      tombstones = 0
    elseif tombstones > 1000 and 2 * tombstones > length then
      X.thin_out()
    end
    remember('tombstones', tombstones)
  end

  -- READY is empty: nothing in it is dead.
  local function forget_tombstones()
    if tombstones > 0 then
      call('UNLINK', TOMBSTONES)
      tombstones = 0
      remember('tombstones', 0)
    end
  end

  -- Of ids popped from READY, and their records, those whose entry is not dead.
  local function living(ids, records)
    local there, there_records, n = {}, {}, 0
    local dead, left, changed = tombstones > 0 and call('HMGET', TOMBSTONES, unpack(ids)) or {}, {}, false
    for i, id in ipairs(ids) do
      local count = left[id] or dead[i] and bounded(dead[i], 0, 1e9) or 0
      if count > 0 then
        left[id], changed = count - 1, true
        tombstones = math.max(0, tombstones - 1)
      elseif records[i] then
        n = n + 1
        there[n], there_records[n] = id, records[i]
      end
    end
    if changed then
      for id, count in pairs(left) do
        if count > 0 then
          call('HSET', TOMBSTONES, id, count)
        else
          call('HDEL', TOMBSTONES, id)
        end
      end
      remember('tombstones', tombstones)
    end
    return there, there_records
  end

  -- Failed jobs and their bytes are bounded, unless members of the cluster say otherwise.
  local FAILED_MAX, FAILED_MAX_BYTES = 10000, 268435456
  local failed_here, failed_bounds = 0, nil

  -- Forgets failed jobs.
  local function forget_failed(ids)
    if #ids == 0 then
      return
    end
    local bytes = 0
    for _, id in ipairs(ids) do
      bytes = bytes + call('HSTRLEN', FAILED, id)
    end
    call('HDEL', FAILED, unpack(ids))
    call('ZREM', FAILED_AT, unpack(ids))
    count('failed_bytes', -bytes)
  end

  -- Moves a job to the failed ones; its queue or owner is the caller's concern. `active`: a worker is still at it. `traceback`: where it failed, if known.
  local function fail(id, record, reason, text, active, traceback)
    local entry = cmsgpack.pack({ reason, text, wall, crashes_of(record), record, traceback or '' })
    count('failed_bytes', #entry - call('HSTRLEN', FAILED, id))
    call('HSET', FAILED, id, entry)
    -- In the order of their failing, though many fail in one millisecond.
    failed_here = failed_here + 1
    call('ZADD', FAILED_AT, now + micros % 1000 / 1000 + failed_here / 1000, id)
    call('HDEL', JOBS, id)
    count('failures', 1)
    failed_bounds = failed_bounds or call('HMGET', META, 'failed_max', 'failed_ttl', 'failed_max_bytes')
    local ttl_of_failed = bounded(failed_bounds[2], 1, 1e12)
    if ttl_of_failed then
      call('ZADD', DUE, 'NX', now + ttl_of_failed, 'F:')
    end
    -- The oldest go first; the one that just failed stays.
    local most, most_bytes = bounded(failed_bounds[1], 1, 1e9) or FAILED_MAX, bounded(failed_bounds[3], 1, 1e15) or FAILED_MAX_BYTES
    local excess = call('ZCARD', FAILED_AT) - most
    for _ = 1, 20 do
      if excess <= 0 and counters.failed_bytes <= most_bytes then
        break
      end
      local oldest = call('ZRANGE', FAILED_AT, 0, 1)
      oldest = oldest[1] == id and oldest[2] or oldest[1]
      if not oldest or oldest == id then
        break
      end
      forget_failed({ oldest })
      excess = excess - 1
    end
    local outcome = 'f' .. reason .. '\n' .. text
    local ttl, requester = result_of(record)
    if ttl then
      keep_results({ id }, { outcome }, { ttl }, { requester })
    else
      tell_waiting({ id }, { outcome }, { '' })
    end
    if has_extras(record) then
      X.gone(id, X.of(record), outcome, active)
    end
  end

  -- Has the holder of a job stop; it keeps the slot until it says that it did. `kind`: d deleted, t its time is over.
  local function stop_holder(id, owner, kind)
    local fence, inc = read_owner(owner)
    if not inc then
      call('HDEL', OWNER, id)
      return
    end
    call('HSET', OWNER, id, owner .. ':d')
    count('deleting', 1)
    local list = stops[kind][inc] or {}
    stops[kind][inc] = list
    list[#list + 1] = fence
    list[#list + 1] = id
  end

  -- Deletes jobs whatever their state; answers 1 (it existed) or 0 for each.
  local function delete_jobs(ids)
    local owners = call('HMGET', OWNER, unpack(ids))
    local answers, deleted = {}, 0
    for i, id in ipairs(ids) do
      local record = call('HGET', JOBS, id)
      answers[i] = record and 1 or 0
      if record then
        call('HDEL', JOBS, id)
        deleted = deleted + 1
        local is_active = owners[i] and not string.find(owners[i], ':d$')
        if is_active then
          stop_holder(id, owners[i], 'd')
        else
          X.unqueue(id, X.of(record), owners[i])
        end
        if has_extras(record) then
          X.gone(id, X.of(record), nil, owners[i])
        end
        local _, requester = result_of(record)
        tell_waiting({ id }, { 'd' }, { requester or '' })
      elseif call('ZSCORE', FAILED_AT, id) then
        forget_failed({ id })
        answers[i] = 1
      end
    end
    if deleted > 0 then
      count('deleted', deleted)
    end
    return answers
  end
  X.fail, X.drop_failed, X.delete_jobs, X.crashes_of, X.with_crashes = fail, forget_failed, delete_jobs, crashes_of, with_crashes
  X.living, X.forget_tombstones = living, forget_tombstones

  local function key(part)
    return PREFIX .. part
  end
  local DELAYED, BLOCKED, RESOURCES, STOPPING = key('delayed'), key('blocked'), key('resources'), key('stopping')
  local SIMILAR, PROGRESS, TASKS = key('similar'), key('progress'), key('tasks')
  local LISTENERS, WATCHERS, DEAF = key('listeners'), key('watchers'), key('deaf')

  local INDEX, PAUSED = key('index'), key('paused')

  local more = call('HMGET', META, 'sequence', 'chooser', 'asked', 'matching')
  -- How many sorted sets there are, and the order of the job that came last. Jobs that have waited come before those that follow a damaged one.
  local queues, sequence = call('ZCARD', INDEX), bounded(more[1], 0, 9e15) or more[1] and micros or 0
  local pauses, paused = call('SCARD', PAUSED), {}

  -- The master that chooses workers, if any; see choice.lua.
  local chooser = more[2] and more[2] ~= '' and unpacked(more[2]) or nil
  if type(chooser) ~= 'table' or type(chooser[1]) ~= 'string' or not bounded(chooser[2], 0, MAX_LEASE) or type(chooser[3]) ~= 'table' then
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
    local extra, at = {}, after_crashes(record)
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

  -- The extras of a record: p priority, k task, r resource, s key of similar jobs, o member whose ephemeral job it is, n retries; a, t, e
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

  -- The record, as an ephemeral job of another member.
  local function retied(record, extra, inc)
    local raw = cmsgpack.unpack(string.sub(record, extra.at + 3, extra.at + 2 + extra.length))
    raw.o = inc
    local packed = cmsgpack.pack(raw)
    return string.sub(record, 1, extra.at) .. struct.pack('>I2', #packed) .. packed .. string.sub(record, extra.at + 3 + extra.length)
  end

  -- Keys that only these jobs make, besides those of queues, resources and members.
  X.keys = { delayed = DELAYED, blocked = BLOCKED, resources = RESOURCES, stopping = STOPPING, similar = SIMILAR, progress = PROGRESS, tasks = TASKS,
    index = INDEX, paused = PAUSED,
    listeners = LISTENERS, watchers = WATCHERS, deaf = DEAF }
