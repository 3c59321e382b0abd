  -- What was damaged in Redis is mended, page by page: jobs that are in no place are queued anew, what is owned by members that are gone is
  -- taken from them, what nothing is due for is noted again. One page in a second at most, or as fast as members come while DUE has `S:`.

  local DAMAGED, STRAY = key('damaged'), key('stray')
  X.keys.damaged, X.keys.stray = DAMAGED, STRAY
  -- READY is searched while it is no longer than this.
  local SHORT = 5000

  -- Notes what could not be processed, for people.
  function X.set_aside(entry, text)
    count('damaged', 1)
    if call('HLEN', DAMAGED) < 1000 then
      call('HSET', DAMAGED, string.sub(entry, 1, 300), string.sub(text, 1, 500))
    end
  end

  local alive = {}
  local function is_alive(inc)
    if alive[inc] == nil then
      alive[inc] = call('ZSCORE', DUE, 'L:' .. inc) ~= false
    end
    return alive[inc]
  end

  -- Forgets a member at once, whatever is left of it. Its jobs are found by the sweep.
  function X.forget_member(inc)
    call('UNLINK', key_of('active', inc), key_of('ephemeral', inc), key_of('inbox', inc), key_of('given', inc))
    call('ZREM', LOAD, inc)
    for _, set in ipairs({ MEMBERS, LISTENERS, WATCHERS }) do
      call('SREM', set, inc)
    end
    call('HDEL', DEAF, inc)
    call('HDEL', UNREAD, inc)
    call('HDEL', META, 'sync:' .. inc, 'send:' .. inc, 'add:' .. inc)
    local readable, member = pcall(X.member, inc)
    for _, task in ipairs(readable and member.tasks or {}) do
      call('ZREM', load_of(task), inc)
    end
    call('UNLINK', key_of('member', inc))
    call('ZREM', DUE, 'L:' .. inc)
    alive[inc] = false
  end

  local in_ready
  local function is_in_ready(id, popped)
    if call('LLEN', READY) <= SHORT then
      if not in_ready then
        in_ready = {}
        for _, one in ipairs(call('LRANGE', READY, 0, -1)) do
          in_ready[one] = (in_ready[one] or 0) + 1
        end
      end
      return (in_ready[id] or 0) > (tombstones > 0 and bounded(call('HGET', TOMBSTONES, id) or nil, 0, 1e9) or 0)
    end
    -- A script that failed had taken it out; had it put it back, it would be near an end.
    return not popped or call('LPOS', READY, id, 'MAXLEN', 3000) or call('LPOS', READY, id, 'RANK', -1, 'MAXLEN', 3000)
  end

  -- Whether a job that says so is blocked, for something that will end.
  local function is_blocked(id, extra)
    if call('SISMEMBER', BLOCKED, id) == 0 then
      return false
    end
    for _, name in ipairs({ extra.r or false, extra.suspect and '' or false }) do
      if name and call('ZSCORE', key_of('blocked', name), id) then
        if call('HEXISTS', RESOURCES, name) == 1 then
          return true
        end
        call('ZREM', key_of('blocked', name), id)
      end
    end
    if extra.s then
      local first = call('HGET', SIMILAR, extra.s)
      if call('ZREM', key_of('similar', extra.s), id) == 1 and first and first ~= id and call('HEXISTS', JOBS, first) == 1 then
        -- In its order as well as can be told.
        call('ZADD', key_of('similar', extra.s), sequence, id)
        return true
      elseif not first or call('HEXISTS', JOBS, first) == 0 then
        call('HSET', SIMILAR, extra.s, id)
      end
    end
    call('SREM', BLOCKED, id)
    return false
  end

  local function is_somewhere(id, extra, popped)
    if call('ZSCORE', DELAYED, id) or is_blocked(id, extra) then
      return true
    end
    if call('ZSCORE', queue_of(extra.p, extra.k), id) then
      return true
    end
    return extra.p == 0 and extra.k == '' and is_in_ready(id, popped)
  end

  -- Looks at these jobs. `popped`: a script that failed had them in its hands.
  local function mend_jobs(ids, popped)
    if #ids == 0 then
      return
    end
    local records, owners = call('HMGET', JOBS, unpack(ids)), call('HMGET', OWNER, unpack(ids))
    local lost, lost_records, indexed = {}, {}, {}
    for i, id in ipairs(ids) do
      local record, owner = records[i], owners[i]
      local _, inc, deleting = read_owner(owner)
      if inc and is_alive(inc) then
        if call('SADD', key_of('active', inc), id) == 1 then
          count('damaged', 1)
        end
      else
        if owner then
          call('HDEL', OWNER, id)
          count('damaged', 1)
          if deleting == ':d' then
            count('deleting', -1)
          end
          X.stopped(id)
          if inc and not call('ZSCORE', DUE, 'L:' .. inc) then
            X.forget_member(inc)
          end
        end
        local extra = record and X.of(record)
        if not extra then
          -- Nothing is left of it.
        elseif not is_somewhere(id, extra, popped) then
          if extra.damaged then
            count('damaged', 1)
            fail(id, record, 'corrupt', 'the record of this job is damaged, and it was in no queue', false)
          else
            lost[#lost + 1], lost_records[#lost_records + 1] = id, record
          end
        elseif (extra.p ~= 0 or extra.k ~= '') and not indexed[entry_of(extra.p, extra.k)] then
          indexed[entry_of(extra.p, extra.k)] = true
          if call('EXISTS', queue_of(extra.p, extra.k)) == 1 then
            list_queue(extra.p, extra.k)
          end
        end
      end
    end
    if #lost > 0 then
      count('damaged', #lost)
      X.enqueue(lost, lost_records, false)
      in_ready = nil
    end
  end

  -- What is looked at, one after the other: how a page is scanned, and what is done with it.
  local pages = {
    j = { 'HSCAN', JOBS, function(ids) mend_jobs(ids, false) end },
    o = { 'HSCAN', OWNER, function(ids)
      local records, there = call('HMGET', JOBS, unpack(ids)), {}
      for i, id in ipairs(ids) do
        -- Those with a record were looked at.
        if not records[i] then
          there[#there + 1] = id
        end
      end
      mend_jobs(there, false)
    end },
    r = { 'HSCAN', RESOURCES, function(names)
      for i, holder in ipairs(call('HMGET', RESOURCES, unpack(names))) do
        if holder and call('HEXISTS', OWNER, holder) == 0 and call('HEXISTS', JOBS, holder) == 0 then
          count('damaged', 1)
          X.free(names[i], holder)
        end
      end
    end },
    s = { 'HSCAN', STOPPING, function(ids)
      for _, id in ipairs(ids) do
        if call('HEXISTS', OWNER, id) == 0 then
          count('damaged', 1)
          X.stopped(id)
        end
      end
    end },
    m = { 'SSCAN', MEMBERS, function(incs)
      for _, inc in ipairs(incs) do
        local lease_end = call('ZSCORE', DUE, 'L:' .. inc)
        if not bounded(lease_end, 0, now + MAX_LEASE) then
          count('damaged', 1)
          call('ZADD', DUE, lease_end and now + 60000 or now, 'L:' .. inc)
        end
      end
    end },
    l = { 'ZSCAN', LOAD, function(incs)
      for _, inc in ipairs(incs) do
        if not is_alive(inc) then
          count('damaged', 1)
          call('ZREM', LOAD, inc)
        end
      end
    end },
    q = { 'ZSCAN', INDEX, function(entries)
      for _, entry in ipairs(entries) do
        local queue = X.read_entry(entry)
        if not queue then
          call('ZREM', INDEX, entry)
        elseif call('EXISTS', queue.key) == 0 then
          X.forget_queue(queue.priority, queue.task)
        else
          call('ZADD', index_of(queue.task), -queue.priority, string.format('%.0f', queue.priority))
          call('ZADD', INDEX, -queue.priority, entry)
        end
      end
    end },
  }
  local order = { 'j', 'o', 'r', 's', 'm', 'l', 'q' }

  -- At the end of a turn: numbers that are derived from what is there, and entries of DUE that stand for many.
  local function mend_rest()
    queues, pauses = call('ZCARD', INDEX), call('SCARD', PAUSED)
    set_special()
    local first = call('ZRANGE', DELAYED, 0, 0, 'WITHSCORES')
    if first[2] then
      call('ZADD', DUE, 'LT', first[2], 'D:')
    end
    local dead = call('HLEN', TOMBSTONES)
    if dead <= SHORT then
      local sum = 0
      for _, number in ipairs(call('HVALS', TOMBSTONES)) do
        sum = sum + (bounded(number, 1, 1e9) or 0)
      end
      if sum ~= tombstones then
        tombstones = sum
        remember('tombstones', tombstones)
      end
    end
    if asked and chooser then
      call('ZADD', DUE, 'NX', now + chooser[2], 'C:')
    end
  end

  -- One page, and at times of damage more. `hasty`: this was asked for by an entry of DUE.
  function X.sweep(hasty)
    remember('swept', now)
    local state = call('HGET', META, 'sweep') or ''
    local at, cursor = string.match(state, '^(%a)(%d+)$')
    if not pages[at] then
      at, cursor = 'j', '0'
    end
    for _ = 1, hasty and 5 or 1 do
      local stray = call('SPOP', STRAY, 200)
      mend_jobs(stray, true)
      local page = pages[at]
      local scanned = call(page[1], page[2], cursor, 'COUNT', page[2] == JOBS and math.max(1, math.floor(move_limit / 5)) or 200)
      local names, step = {}, page[1] == 'SSCAN' and 1 or 2
      for i = 1, #scanned[2], step do
        if scanned[2][i] ~= '' or page[2] == RESOURCES then
          names[#names + 1] = scanned[2][i]
        end
      end
      for from = 1, #names, 1000 do
        page[3]({ unpack(names, from, math.min(#names, from + 999)) })
      end
      cursor = scanned[1]
      if cursor == '0' then
        for i, name in ipairs(order) do
          if name == at then
            at = order[i + 1] or order[1]
            break
          end
        end
        if at == order[1] then
          mend_rest()
          if call('SCARD', STRAY) == 0 then
            call('ZREM', DUE, 'S:')
          end
          break
        end
      end
    end
    remember('sweep', at .. cursor)
  end

