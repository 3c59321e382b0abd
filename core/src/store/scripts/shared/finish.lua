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

-- Sends what was gathered for members; those that are gone get nothing.
local function send_told()
  for inc, list in pairs(tell) do
    if call('ZSCORE', DUE, 'L:' .. inc) then
      call('XADD', key_of('inbox', inc), '*', 'r', cmsgpack.pack(list))
    end
  end
  tell = {}
end

-- Moves a job, owned by nobody any more, to the failed ones. At most 10,000 are kept, the newest.
local function fail(id, record, reason, text)
  call('HSET', FAILED, id, cmsgpack.pack({ reason, text, now, deaths_of(record), record }))
  call('ZADD', FAILED_AT, now, id)
  call('HDEL', JOBS, id)
  count('failures', 1)
  if call('ZCARD', FAILED_AT) > 10000 then
    local oldest = call('ZPOPMIN', FAILED_AT)
    call('HDEL', FAILED, oldest[1])
  end
  local ttl, requester = result_of(record)
  if ttl then
    keep_results({ id }, { 'f' .. reason .. '\n' .. text }, { ttl }, { requester })
  else
    tell_waiting({ id }, { 'f' .. reason .. '\n' .. text }, { '' })
  end
end
