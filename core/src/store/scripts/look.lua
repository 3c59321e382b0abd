-- What is where, for people; changes nothing.
-- KEYS  the fixed keys
-- ARGV  'job', id | 'jobs', state (waiting, held, delayed, parked, failed), cursor ('' = from the start), how many | 'counts' | 'members',
--       cursor
-- Returns  msgpack: a job: {id, state, record, owner, due in ms or 0, progress, reason, error text, time of failure in ms, traceback}, or '' if there is none |
--       {cursor of the next page or '', job, ...} | {{{priority, task, number}, ...}, {paused task, ...}, chooser or ''} | {cursor, {inc, ms until its lease ends, held, credit, name, value, ...}, ...}
local X = extras()
local keys = X.keys

local function describe(id)
  local failed = call('HGET', FAILED, id)
  if failed then
    local entry = cmsgpack.unpack(failed)
    return { id, 'failed', entry[5], '', 0, '', entry[1], entry[2], entry[3], entry[6] or '' }
  end
  local owner, record = call('HGET', OWNER, id), call('HGET', JOBS, id)
  if not owner and not record then
    return nil
  end
  local state, due = 'waiting', 0
  if owner then
    state = string.find(owner, ':d$') and 'deleting' or 'held'
  else
    local delayed = call('ZSCORE', keys.delayed, id)
    if delayed then
      -- As a time of day.
      state, due = 'delayed', math.max(1, math.floor(tonumber(delayed) - offset))
    elseif call('SISMEMBER', keys.parked, id) == 1 then
      state = 'parked'
    end
  end
  return { id, state, record or '', owner or '', due, call('HGET', keys.progress, id) or '', '', '', 0, '' }
end

-- Members of a sorted set from an offset on, and the next offset.
local function page_of(key, cursor, number, reverse)
  local from = tonumber(cursor) or 0
  local ids = call(reverse and 'ZREVRANGE' or 'ZRANGE', key, from, from + number - 1)
  return ids, #ids == number and tostring(from + number) or ''
end

-- Ids of a hash or set, which has no order, and where the next page begins. One step of a scan may bring more than was asked for: a cursor says where
-- the step began and how many of its ids were told.
local function scan_page(command, key, cursor, number)
  local from, told = string.match(cursor, '^(%d+):(%d+)$')
  from, told = from or '0', tonumber(told) or 0
  local scanned = call(command, key, from, 'COUNT', number)
  local all, ids = {}, {}
  for i = 1, #scanned[2], command == 'HSCAN' and 2 or 1 do
    if scanned[2][i] ~= '' then
      all[#all + 1] = scanned[2][i]
    end
  end
  table.sort(all)
  for i = told + 1, math.min(told + number, #all) do
    ids[#ids + 1] = all[i]
  end
  if told + number < #all then
    return ids, from .. ':' .. told + number
  end
  return ids, scanned[1] ~= '0' and scanned[1] .. ':0' or ''
end

local function page(state, cursor, number)
  if state == 'failed' then
    return page_of(FAILED_AT, cursor, number, true)
  elseif state == 'delayed' then
    return page_of(keys.delayed, cursor, number)
  elseif state == 'parked' then
    return scan_page('SSCAN', keys.parked, cursor, number)
  elseif state == 'held' then
    return scan_page('HSCAN', OWNER, cursor, number)
  end
  -- Waiting: the cursor names a queue and an offset in it.
  local offset, priority, task = string.match(cursor, '^(%d+):(-?%d+):(.*)$')
  local ids, from = {}, tonumber(offset) or 0
  priority = tonumber(priority)
  for _, queue in ipairs(X.queues()) do
    local here = queue.priority == priority and queue.task == task
    if not priority or here or queue.priority < priority or queue.priority == priority and queue.task > task then
      local start = here and from or 0
      local some = X.queue_page(queue, start, start + number - #ids - 1)
      for _, id in ipairs(some) do
        ids[#ids + 1] = id
      end
      if #ids >= number then
        return ids, string.format('%d:%.0f:%s', start + #some, queue.priority, queue.task)
      end
    end
  end
  return ids, ''
end

local what = ARGV[1]
if what == 'job' then
  local job = describe(ARGV[2])
  return job and cmsgpack.pack(job) or ''
elseif what == 'jobs' then
  -- No more than a call may carry of payloads.
  local ids, next_cursor = page(ARGV[2], ARGV[3], math.min(tonumber(ARGV[4]), move_limit))
  local answer = { next_cursor }
  for _, id in ipairs(ids) do
    local job = describe(id)
    -- A list may have ids of jobs that were deleted.
    if job and (job[2] == ARGV[2] or ARGV[2] == 'held') then
      answer[#answer + 1] = job
    end
  end
  return cmsgpack.pack(answer)
elseif what == 'counts' then
  local counts = {}
  for _, queue in ipairs(X.queues()) do
    local length = X.queue_length(queue)
    if length > 0 then
      counts[#counts + 1] = { string.format('%.0f', queue.priority), queue.task, length }
    end
  end
  return cmsgpack.pack({ counts, X.paused_tasks(), X.chooser() })
end
local scanned = call('SSCAN', MEMBERS, ARGV[2] == '' and '0' or ARGV[2], 'COUNT', 100)
local answer = { scanned[1] ~= '0' and scanned[1] or '' }
for _, inc in ipairs(scanned[2]) do
  local lease = call('ZSCORE', DUE, 'L:' .. inc)
  local score = X.score(inc, X.member(inc))
  local member = { inc, lease and math.max(0, lease - now) or 0, call('SCARD', key_of('held', inc)),
    score and credit_of(tonumber(score)) or 0 }
  for i, value in ipairs(call('HGETALL', key_of('member', inc))) do
    member[4 + i] = value
  end
  answer[#answer + 1] = member
end
return cmsgpack.pack(answer)
