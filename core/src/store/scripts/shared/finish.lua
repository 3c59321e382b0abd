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

local failed_here, failed_bounds = 0, nil

-- Moves a job to the failed ones; its queue or owner is the caller's concern. `held`: a worker is still at it. `traceback`: where it failed, if known.
local function fail(id, record, reason, text, held, traceback)
  call('HSET', FAILED, id, cmsgpack.pack({ reason, text, wall, deaths_of(record), record, traceback or '' }))
  -- In the order of their failing, though many fail in one millisecond.
  failed_here = failed_here + 1
  call('ZADD', FAILED_AT, now + micros % 1000 / 1000 + failed_here / 1000, id)
  call('HDEL', JOBS, id)
  count('failures', 1)
  failed_bounds = failed_bounds or call('HMGET', META, 'failed_max', 'failed_ttl')
  if tonumber(failed_bounds[2]) then
    call('ZADD', DUE, 'NX', now + failed_bounds[2], 'F:')
  end
  if call('ZCARD', FAILED_AT) > (tonumber(failed_bounds[1]) or 10000) then
    for _, oldest in ipairs(call('ZRANGE', FAILED_AT, 0, 1)) do
      if oldest ~= id then
        call('ZREM', FAILED_AT, oldest)
        call('HDEL', FAILED, oldest)
        break
      end
    end
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
    elseif call('ZREM', FAILED_AT, id) == 1 then
      call('HDEL', FAILED, id)
      answers[i] = 1
    end
  end
  if deleted > 0 then
    count('deleted', deleted)
  end
  return answers
end
