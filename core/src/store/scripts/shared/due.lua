  -- Jobs that begin, and what becomes due for them.

  -- Begins jobs that need care: their clocks start; those that are to wait do. starts: 0 now, above a pause in ms, below the time of day in ms
  -- since 1970, on the server's clock. Ephemeral jobs are those of `inc`, or of nobody if there is none. Answers which of them are to wait, and when the first
  -- clock runs out if that is the next thing due; changes records.
  local function begin(ids, records, starts, inc)
    local waiting, clocks, ephemeral = {}, {}, {}
    local soonest, soonest_task
    local function clock_ends(at, task)
      if not soonest or at < soonest then
        soonest, soonest_task = at, task
      end
    end
    for i, id in ipairs(ids) do
      local extra, start = X.of(records[i]), starts[i]
      local pause = start < 0 and math.max(0, -start - wall) or start
      if extra.o and extra.o ~= inc then
        -- Written under the member's incarnation before this one.
        records[i] = retied(records[i], extra, inc)
        call('HSET', JOBS, id, records[i])
        extra = X.of(records[i])
      end
      if extra.o then
        ephemeral[#ephemeral + 1] = id
      end
      if extra.e then
        clocks[#clocks + 1] = now + extra.e
        clocks[#clocks + 1] = 'E:' .. id
        clock_ends(now + extra.e, extra.k)
      end
      if extra.a then
        clocks[#clocks + 1] = now + pause + extra.a
        clocks[#clocks + 1] = 'A:' .. id
        clock_ends(now + pause + extra.a, extra.k)
      end
      if extra.s and call('HSETNX', SIMILAR, extra.s, id) == 0 then
        block('similar', extra.s, { id })
        waiting[id] = true
      elseif pause > 0 then
        clock_ends(delay(id, pause), extra.k)
        waiting[id] = true
      end
    end
    if #ephemeral > 0 then
      call('SADD', key_of('ephemeral', inc), unpack(ephemeral))
    end
    if #clocks > 0 then
      call('ZADD', DUE, unpack(clocks))
    end
    if soonest and (tonumber(call('ZRANGE', DUE, 0, 0, 'WITHSCORES')[2]) or soonest) < soonest then
      return waiting
    end
    -- Members sleep until what was the first due thing: one that works is woken, should the caller go meanwhile.
    local worker = soonest and call('ZRANGE', load_of(soonest_task), 0, 0)[1]
    if worker then
      call('XADD', key_of('inbox', worker), '*', 'w', '')
    end
    return waiting, soonest
  end

  -- Of these jobs, those that no earlier execution of is still to stop. The others are queued when it has.
  local function without_owner(ids, records)
    local there, there_records = {}, {}
    for i, owner in ipairs(#ids > 0 and call('HMGET', OWNER, unpack(ids)) or {}) do
      if not owner then
        there[#there + 1], there_records[#there_records + 1] = ids[i], records[i]
      end
    end
    return there, there_records
  end

  -- Jobs whose earlier execution has stopped: those that wait for nothing else.
  function X.not_waiting(ids, records)
    local there, there_records = {}, {}
    for i, id in ipairs(ids) do
      if not has_extras(records[i]) or not call('ZSCORE', DELAYED, id) and call('SISMEMBER', BLOCKED, id) == 0 then
        there[#there + 1], there_records[#there_records + 1] = id, records[i]
      end
    end
    return there, there_records
  end

  -- New jobs, stored already. queues: priority, task and positions of each; careful: position and start of those that begin otherwise than by
  -- waiting. Positions marked in `skip` are passed over: they existed, or (`later`) are begun, but queued only when an execution has stopped. Answers when the next thing is due, if it is of these jobs.
  function X.add(all, queues_of, careful, skip, inc)
    local ids, records, starts, positions = {}, {}, {}, {}
    for i = 1, #careful, 2 do
      local position = careful[i]
      if skip[position] ~= 'existed' then
        local n = #ids + 1
        ids[n], records[n], starts[n], positions[n] = all[2 * position - 1], all[2 * position], careful[i + 1], position
      end
    end
    local waiting, soonest = {}, nil
    if #ids > 0 then
      waiting, soonest = begin(ids, records, starts, inc)
    end
    for i, position in ipairs(positions) do
      all[2 * position] = records[i]
    end
    local groups = {}
    for _, queue in ipairs(queues_of) do
      local group = { priority = queue[1], task = queue[2], ids = {}, records = {}, orders = {} }
      for _, position in ipairs(queue[3]) do
        local id = all[2 * position - 1]
        if not skip[position] and not waiting[id] then
          local n = #group.ids + 1
          group.ids[n], group.records[n], group.orders[n] = id, all[2 * position], sequence + position
        end
      end
      if #group.ids > 0 then
        groups[#groups + 1] = group
      end
    end
    X.take_in(groups, #all / 2, false)
    return soonest
  end

  -- Failed jobs that are to run again, as if they were new; stored already.
  function X.revive(ids, records)
    local starts = {}
    for i = 1, #ids do
      starts[i] = 0
    end
    local waiting = begin(ids, records, starts)
    local there, there_records = {}, {}
    for i, id in ipairs(ids) do
      if not waiting[id] then
        there[#there + 1], there_records[#there_records + 1] = id, records[i]
      end
    end
    there, there_records = without_owner(there, there_records)
    X.enqueue(there, there_records, false)
  end

  -- Delayed jobs whose time has come.
  function X.due()
    local ids = call('ZRANGEBYSCORE', DELAYED, '-inf', now, 'LIMIT', 0, 200)
    if #ids > 0 then
      in_hand[#in_hand + 1] = ids
      call('ZREM', DELAYED, unpack(ids))
      local there, records = {}, {}
      for i, record in ipairs(call('HMGET', JOBS, unpack(ids))) do
        if record then
          there[#there + 1] = ids[i]
          records[#records + 1] = record
        end
      end
      there, records = without_owner(there, records)
      X.enqueue(there, records, false)
    end
    local first = call('ZRANGE', DELAYED, 0, 0, 'WITHSCORES')
    if first[2] then
      call('ZADD', DUE, first[2], 'D:')
    else
      call('ZREM', DUE, 'D:')
    end
  end

  -- Failed jobs older than the cluster keeps them.
  function X.forget_failed()
    local ttl = bounded(call('HGET', META, 'failed_ttl'), 1, 10 * YEAR)
    local old = ttl and call('ZRANGEBYSCORE', FAILED_AT, '-inf', now - ttl, 'LIMIT', 0, 200) or {}
    if #old > 0 then
      forget_failed(old)
    end
    local first = ttl and call('ZRANGE', FAILED_AT, 0, 0, 'WITHSCORES') or {}
    if first[2] then
      call('ZADD', DUE, first[2] + ttl, 'F:')
    else
      call('ZREM', DUE, 'F:')
    end
  end

  local reasons = {
    A = { 'assign_timeout', 'no worker was given this job within its assign_timeout of %d ms' },
    T = { 'run_timeout', 'an execution of this job took longer than its run_timeout of %d ms' },
    E = { 'total_timeout', 'this job had not ended within its total_timeout of %d ms' },
  }

  -- A clock of a job has run out.
  function X.timeout(kind, id)
    local record, owner = call('HGET', JOBS, id), call('HGET', OWNER, id)
    local active = owner and not string.find(owner, ':d$') and read_owner(owner)
    if not record or kind == 'A' and active or kind == 'T' and not active then
      return
    end
    local extra = X.of(record)
    local message = string.format(reasons[kind][2], extra[string.lower(kind)] or 0)
    if active then
      stop_holder(id, owner, 't')
    end
    if kind == 'T' and extra.failed < extra.n then
      -- It runs again when its worker has stopped.
      call('HSET', JOBS, id, X.with_failed(record, extra, extra.failed + 1))
      count('retries', 1)
      if extra.r then
        call('HSETNX', STOPPING, id, extra.r)
      end
      return
    end
    if not active then
      X.unqueue(id, extra, owner)
    end
    fail(id, record, reasons[kind][1], message, owner)
  end

  -- Gives up to `budget` of the ephemeral jobs of a member up; whether that was all.
  function X.give_up(inc, budget)
    local ids = budget > 0 and call('SPOP', key_of('ephemeral', inc), budget) or {}
    if #ids > 0 then
      delete_jobs(ids)
    end
    return #ids < budget, #ids
  end
