  -- Ends of jobs with extras, and what they set free.

  -- Another may have the resource that this job had: the next that is parked.
  function X.free(resource, id)
    if call('HGET', RESOURCES, resource) ~= id then
      return
    end
    while true do
      local next_id = call('LPOP', key_of('parked', resource))
      if not next_id then
        call('HDEL', RESOURCES, resource)
        return
      end
      call('ZREM', PARKED, next_id)
      local record = call('HGET', JOBS, next_id)
      if record then
        call('HSET', RESOURCES, resource, next_id)
        return X.enqueue({ next_id }, { record }, true)
      end
    end
  end

  -- Takes a waiting job out of wherever it waits.
  function X.unqueue(id, extra)
    if call('ZREM', DELAYED, id) == 1 then
      return
    end
    if call('ZREM', PARKED, id) == 1 then
      if not extra.r or call('LREM', key_of('parked', extra.r), 1, id) == 0 then
        call('LREM', key_of('similar', extra.s or ''), 1, id)
      end
      return
    end
    local queue = queue_of(extra.p, extra.k)
    if extra.k ~= '' then
      call('ZREM', queue, id)
    elseif call('LLEN', queue) <= 4096 then
      call('LREM', queue, 1, id)
    else
      call('SADD', GHOSTS, id)
      ghosts = ghosts + 1
      remember('ghosts', ghosts)
    end
  end

  -- The entry that a deleted job of this id left in a long list.
  function X.exorcise(id)
    for _, priority in ipairs(call('ZRANGE', index_of(''), 0, 999)) do
      call('LREM', queue_of(tonumber(priority), ''), 1, id)
    end
  end

  -- Jobs that waited for a similar one: they end as it ended or, if it was deleted, the next of them takes its place.
  local function settle(name, outcome)
    local followers = key_of('similar', name)
    for _ = 1, outcome and 1000 or 0 do
      local id = call('LPOP', followers)
      if not id then
        break
      end
      call('ZREM', PARKED, id)
      local record = call('HGET', JOBS, id)
      if record then
        call('HDEL', JOBS, id)
        count(string.sub(outcome, 1, 1) == 'f' and 'failures' or 'completed', 1)
        local ttl, requester = result_of(record)
        if ttl then
          keep_results({ id }, { outcome }, { ttl }, { requester })
        end
        local extra = X.of(record)
        extra.s = nil
        X.gone(id, extra, outcome, false)
      end
    end
    while true do
      local id = call('LPOP', followers)
      if not id then
        call('HDEL', SIMILAR, name)
        return
      end
      call('ZREM', PARKED, id)
      local record = call('HGET', JOBS, id)
      if record then
        call('HSET', SIMILAR, name, id)
        return X.enqueue({ id }, { record }, false)
      end
    end
  end

  -- A job is over: its clocks stop, its resource is free as soon as its worker has stopped (`held`), jobs that waited for it go on.
  function X.gone(id, extra, outcome, held)
    if extra.a or extra.t or extra.e then
      call('ZREM', DUE, 'A:' .. id, 'T:' .. id, 'E:' .. id)
    end
    if extra.o then
      call('SREM', key_of('tied', extra.o), id)
    end
    if extra.r and held then
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
    for i = 1, #list, 3 do
      if call('HGET', OWNER, list[i]) == list[i + 1] then
        call('HSET', PROGRESS, list[i], list[i + 2])
      end
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
  end

  local function delay(id, pause)
    call('ZADD', DELAYED, now + pause, id)
    call('ZADD', DUE, 'LT', now + pause, 'D:')
  end

  -- An attempt failed: the job runs again after a pause in ms, or is failed if it has no retry left.
  function X.retry(id, record, extra, pause, message)
    call('HDEL', PROGRESS, id)
    if extra.failed >= extra.n then
      return fail(id, record, 'failed', message, false)
    end
    record = X.with_failed(record, extra, extra.failed + 1)
    call('HSET', JOBS, id, record)
    call('HINCRBY', META, 'retries', 1)
    X.left(id, extra, false)
    if pause > 0 then
      delay(id, pause)
    else
      X.enqueue({ id }, { record }, false)
    end
  end
