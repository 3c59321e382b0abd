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

-- What workers are to be told of jobs that are no longer theirs: kind -> inc -> list of fence, id, ...
local stops = { d = {}, t = {} }

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

