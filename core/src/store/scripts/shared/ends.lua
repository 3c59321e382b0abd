  -- Ends of jobs with extras, and what they set free.

  -- Resources that may be free again and whose they were; those that are for certain.
  local freed, freed_by, released = {}, {}, {}

  -- Another may have the resource that this job had, if it had it.
  function X.free(resource, id)
    freed[#freed + 1] = resource
    freed_by[#freed_by + 1] = id
  end

  -- The same, for jobs that were completed by their owner: whoever is given a job has its resource.
  function X.free_all(resources)
    released = resources
  end

  local function surely_free()
    local names = released
    released = {}
    if #freed > 0 then
      for i, holder in ipairs(call('HMGET', RESOURCES, unpack(freed))) do
        -- It may have been passed on already, or never have been this job's.
        if holder == freed_by[i] then
          names[#names + 1] = freed[i]
        end
      end
      freed, freed_by = {}, {}
    end
    return names
  end

  -- Gives the resources that are free to the next jobs that are blocked for them, and has these given. A plain member with credit, about to be left
  -- by some of its jobs, takes those that have nothing but a resource while no other has less to do; answered as ids and records.
  function X.pass_on(inc, credit, leaving)
    local taken, taken_records = {}, {}
    local limit = 0
    local names = surely_free()
    if #names > 0 and inc and credit > 0 then
      limit = math.min(credit, move_limit)
      local ranked = call('ZRANGE', LOAD, 0, 1, 'WITHSCORES')
      local least = ranked[1] ~= inc and ranked[2] or ranked[4]
      if least then
        limit = math.min(limit, active_of(tonumber(least)) + 1 - call('SCARD', key_of('active', inc)) + leaving)
      end
    end
    local queue_for = key('blocked:')
    while #names > 0 do
      local ids, claims, idle, n = {}, {}, {}, 0
      for _, name in ipairs(names) do
        local id = call('ZPOPMIN', queue_for .. name)[1]
        if id then
          n = n + 1
          ids[n], claims[2 * n - 1], claims[2 * n] = id, name, id
        else
          idle[#idle + 1] = name
        end
      end
      if #idle > 0 then
        call('HDEL', RESOURCES, unpack(idle))
      end
      if n > 0 then
        in_hand[#in_hand + 1] = ids
        call('SREM', BLOCKED, unpack(ids))
        call('HSET', RESOURCES, unpack(claims))
        local there, records = {}, {}
        local found = call('HMGET', JOBS, unpack(ids))
        for i = 1, n do
          local record = found[i]
          if not record then
            -- Deleted meanwhile: the next.
            X.free(claims[2 * i - 1], ids[i])
          elseif #taken < limit and band(byte(record, 1) or 0, 56) == 0 then
            taken[#taken + 1] = ids[i]
            taken_records[#taken] = record
          else
            there[#there + 1] = ids[i]
            records[#records + 1] = record
          end
        end
        if #there > 0 then
          X.enqueue(there, records, true)
        end
      end
      names = surely_free()
    end
    return taken, taken_records
  end
  before_writing = X.pass_on

  -- Takes a waiting job out of wherever it waits. `stopping`: it is in no queue until an earlier execution has stopped.
  function X.unqueue(id, extra, stopping)
    if call('ZREM', DELAYED, id) == 1 then
      return
    end
    if call('SREM', BLOCKED, id) == 1 then
      local _ = extra.r and call('ZREM', key_of('blocked', extra.r), id) == 1
        or extra.suspect and call('ZREM', key_of('blocked', ''), id) == 1
        or extra.s and call('ZREM', key_of('similar', extra.s), id)
      return
    end
    if stopping then
      return
    end
    -- In READY only if it is in no sorted set. One whose record is damaged may be anywhere: what is left of it is passed over when its turn comes.
    if call('ZREM', queue_of(extra.p, extra.k), id) == 0 and extra.p == 0 and extra.k == '' and not extra.damaged then
      bury(id)
    end
  end

  -- So many jobs can be ended in one call because a similar one did.
  local followers_left = 1000

  -- Jobs that waited for a similar one: they end as it ended or, if it was deleted, the next of them takes its place. So it does after a
  -- thousand in one call, that it does not take too long.
  local function settle(name, outcome)
    local followers = key_of('similar', name)
    while true do
      local over = outcome and followers_left > 0
      local ids = {}
      for i, value in ipairs(call('ZPOPMIN', followers, over and 100 or 1)) do
        if i % 2 == 1 then
          ids[#ids + 1] = value
        end
      end
      followers_left = followers_left - #ids
      if #ids == 0 then
        call('HDEL', SIMILAR, name)
        return
      end
      in_hand[#in_hand + 1] = ids
      call('SREM', BLOCKED, unpack(ids))
      local ended, records, kept, outcomes, ttls, requesters = {}, {}, {}, {}, {}, {}
      for i, record in ipairs(call('HMGET', JOBS, unpack(ids))) do
        if record and not over then
          call('HSET', SIMILAR, name, ids[i])
          -- If it has an owner, it is queued when that has stopped.
          return call('HEXISTS', OWNER, ids[i]) == 0 and X.enqueue({ ids[i] }, { record }, false)
        elseif record then
          ended[#ended + 1], records[#records + 1] = ids[i], record
          local ttl, requester = result_of(record)
          if ttl then
            local n = #kept + 1
            kept[n], outcomes[n], ttls[n], requesters[n] = ids[i], outcome, ttl, requester
          end
        end
      end
      if #ended > 0 then
        call('HDEL', JOBS, unpack(ended))
        count(string.sub(outcome, 1, 1) == 'f' and 'failures' or 'completed', #ended)
        keep_results(kept, outcomes, ttls, requesters)
        for i, id in ipairs(ended) do
          local extra = X.of(records[i])
          extra.s = nil
          X.gone(id, extra, outcome, false)
        end
      end
    end
  end

  -- A job is over: its clocks stop, its resource is free as soon as its worker has stopped (`active`), jobs that waited for it go on.
  function X.gone(id, extra, outcome, active)
    if extra.a or extra.t or extra.e then
      call('ZREM', DUE, 'A:' .. id, 'T:' .. id, 'E:' .. id)
    end
    if extra.o then
      call('SREM', key_of('ephemeral', extra.o), id)
    end
    if extra.suspect then
      X.cleared(id)
    end
    if extra.r and active then
      call('HSETNX', STOPPING, id, extra.r)
    elseif extra.r then
      X.free(extra.r, id)
    end
    if extra.s and call('HGET', SIMILAR, extra.s) == id then
      settle(extra.s, outcome)
    end
  end

  function X.forget_progress(ids)
    call('HDEL', PROGRESS, unpack(ids))
  end

  -- How far jobs are: id, owner, what to keep, ...; those of jobs that are no longer the owner's are dropped.
  function X.progress(list)
    local ids, kept = {}, {}
    for i = 1, #list, 3 do
      ids[#ids + 1] = list[i]
    end
    for i, owner in ipairs(call('HMGET', OWNER, unpack(ids))) do
      if owner == list[3 * i - 1] then
        kept[#kept + 1] = ids[i]
        kept[#kept + 1] = list[3 * i]
      end
    end
    if #kept > 0 then
      call('HSET', PROGRESS, unpack(kept))
    end
  end

  -- Jobs with extras that are completed; their details as in sync.lua.
  function X.completed(ids, details)
    call('HDEL', JOBS, unpack(ids))
    call('HDEL', PROGRESS, unpack(ids))
    count('completed', #ids)
    local kept, outcomes, ttls, requesters = {}, {}, {}, {}
    for i, id in ipairs(ids) do
      local _, ttl, requester, outcome = unpack(details[i])
      if ttl >= 0 then
        local n = #kept + 1
        kept[n], outcomes[n], ttls[n], requesters[n] = id, outcome, ttl, requester
      end
    end
    keep_results(kept, outcomes, ttls, requesters)
    for i, id in ipairs(ids) do
      local _, _, _, outcome, resource, similar, ephemeral, clocks, suspect = unpack(details[i])
      local extra = { r = text_of(resource), s = text_of(similar), o = text_of(ephemeral), e = clocks == 1 or nil, suspect = suspect == 1 }
      X.gone(id, extra, outcome, false)
    end
  end

  -- The worker has stopped a job that was deleted under it, or died with it.
  function X.stopped(id)
    call('HDEL', PROGRESS, id)
    local resource = call('HGET', STOPPING, id)
    if resource then
      call('HDEL', STOPPING, id)
      X.free(resource, id)
    end
  end

  -- A job leaves its worker and lives on. `front`: it goes before all others and keeps its resource, so that its turn stays its.
  function X.left(id, extra, front)
    call('HDEL', PROGRESS, id)
    if extra.t then
      call('ZREM', DUE, 'T:' .. id)
    end
    if extra.r and not front then
      X.free(extra.r, id)
    end
    if extra.suspect then
      call('ZREM', DUE, 'P:' .. id)
      if not front then
        X.free('', id)
      end
    end
  end

  -- A suspect has ended, or its worker lives on: the next may start.
  function X.cleared(id)
    call('ZREM', DUE, 'P:' .. id)
    X.free('', id)
  end

  -- The first moments of a suspect are over. It is cleared if its worker was heard of since; if not, the worker is asked.
  function X.probe(id)
    local inc = string.match(call('HGET', OWNER, id) or '', '^%d+:([^:]+)$')
    local lease_end = inc and call('ZSCORE', DUE, 'L:' .. inc)
    if not lease_end then
      return X.cleared(id)
    end
    local heard = lease_end - (bounded(call('HGET', key_of('member', inc), 'lease'), 0, MAX_LEASE) or 0)
    -- The entry is due 250 ms after the start, or after the worker was asked.
    if heard >= (tonumber(call('ZSCORE', DUE, 'P:' .. id)) or 0) - 50 then
      return X.cleared(id)
    end
    call('XADD', key_of('inbox', inc), '*', 'w', '')
    call('ZADD', DUE, now + 250, 'P:' .. id)
  end

  -- The suspect that a worker active in its first moments, if any.
  function X.on_trial()
    return call('HGET', RESOURCES, '')
  end

  local function delay(id, pause)
    -- `now` is cut to whole milliseconds: never too early.
    local due = now + 1 + pause
    call('ZADD', DELAYED, due, id)
    call('ZADD', DUE, 'LT', due, 'D:')
    return due
  end

  -- An attempt failed: the job runs again after a pause in ms, or is failed if it has no retry left.
  function X.retry(id, record, extra, pause, message, traceback)
    if extra.failed >= extra.n then
      call('HDEL', PROGRESS, id)
      return fail(id, record, 'failed', message, false, traceback)
    end
    record = X.with_failed(record, extra, extra.failed + 1)
    call('HSET', JOBS, id, record)
    count('retries', 1)
    X.left(id, extra, false)
    if pause > 0 then
      delay(id, pause)
    else
      X.enqueue({ id }, { record }, false)
    end
  end
