-- Ends of jobs: results, failures and who is told of them.

-- Members to tell, inc -> list of id, outcome, ...
local tell = {}

local function tell_member(inc, id, outcome)
  tell[inc] = tell[inc] or {}
  local list = tell[inc]
  list[#list + 1] = id
  list[#list + 1] = outcome
end

-- Tells whoever awaits these jobs. requesters[i] = '' if the job has none of its own.
local function tell_waiting(ids, outcomes, requesters)
  if #ids == 0 then
    return
  end
  local waiters = call('HMGET', WAITERS, unpack(ids))
  for i, id in ipairs(ids) do
    if requesters[i] ~= '' then
      tell_member(requesters[i], id, outcomes[i])
    end
    if waiters[i] then
      for inc in string.gmatch(waiters[i], '[^,]+') do
        if inc ~= requesters[i] then
          tell_member(inc, id, outcomes[i])
        end
      end
      call('HDEL', WAITERS, id)
    end
  end
end

-- Keeps results and tells whoever awaits them.
local function keep_results(ids, outcomes, ttls, requesters)
  if #ids == 0 then
    return
  end
  local kept, expiries = {}, {}
  for i, id in ipairs(ids) do
    kept[#kept + 1] = id
    kept[#kept + 1] = outcomes[i]
    expiries[#expiries + 1] = now + ttls[i] * 1000
    expiries[#expiries + 1] = 'R:' .. id
  end
  call('HSET', RESULTS, unpack(kept))
  call('ZADD', DUE, unpack(expiries))
  tell_waiting(ids, outcomes, requesters)
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

-- Moves a job to the failed ones; its queue or owner is the caller's concern. `held`: a worker is still at it. `traceback`: where it failed, if known.
local function fail(id, record, reason, text, held, traceback)
  local entry = cmsgpack.pack({ reason, text, wall, deaths_of(record), record, traceback or '' })
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
    extras().gone(id, extras().of(record), outcome, held)
  end
end

-- What workers are to be told of jobs that are no longer theirs: kind -> inc -> list of fence, id, ...
local stops = { d = {}, t = {} }

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

-- Sends what was gathered for members; those that are gone get nothing.
local function send_told()
  for kind, lists in pairs(stops) do
    for inc, list in pairs(lists) do
      call('XADD', key_of('inbox', inc), '*', kind, cmsgpack.pack(list))
    end
    stops[kind] = {}
  end
  for inc, list in pairs(tell) do
    if call('ZSCORE', DUE, 'L:' .. inc) then
      call('XADD', key_of('inbox', inc), '*', 'r', cmsgpack.pack(list))
    end
  end
  tell = {}
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
      local is_held = owners[i] and not string.find(owners[i], ':d$')
      if is_held then
        stop_holder(id, owners[i], 'd')
      else
        extras().unqueue(id, extras().of(record), owners[i])
      end
      if has_extras(record) then
        extras().gone(id, extras().of(record), nil, owners[i])
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
