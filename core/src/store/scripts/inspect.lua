-- What is where, for people; changes nothing.
-- KEYS  the fixed keys
-- ARGV  'job', id | 'jobs', state (waiting, active, delayed, blocked, failed), cursor ('' = from the start), how many | 'counts', cursor |
--       'members', cursor
-- Returns  msgpack: a job: {id, state, record, owner, due in ms or 0, progress, reason, error text, time of failure in ms, traceback}, or '' if there is none |
--       {cursor of the next page or '', job, ...} | {{{priority, task, number}, ...}, {paused task, ...}, chooser or '', cursor} | {cursor, {inc, ms until its lease ends, active, credit, name, value, ...}, ...}
local X = extras()
local keys = X.keys

local function describe(id)
  local failed = call('HGET', FAILED, id)
  if failed then
    -- A damaged entry is shown as far as it can be read, and does not hide the others.
    local entry = unpacked(failed)
    entry = type(entry) == 'table' and entry or {}
    local function text(at)
      return type(entry[at]) == 'string' and entry[at] or ''
    end
    return { id, 'failed', text(5), '', 0, '', text(1), text(2), math.floor(bounded(entry[3], 0, LATEST) or 0), text(6) }
  end
  local owner, record = call('HGET', OWNER, id), call('HGET', JOBS, id)
  if not owner and not record then
    return nil
  end
  local state, due = 'waiting', 0
  if owner then
    state = string.find(owner, ':d$') and 'deleting' or 'active'
  else
    local delayed = call('ZSCORE', keys.delayed, id)
    if delayed then
      -- As a time of day.
      state, due = 'delayed', math.max(1, math.floor(tonumber(delayed) - offset))
    elseif call('SISMEMBER', keys.blocked, id) == 1 then
      state = 'blocked'
    end
  end
  return { id, state, record or '', owner or '', due, call('HGET', keys.progress, id) or '', '', '', 0, '' }
end

-- Where in a sorted set what comes behind a member begins, whether that is still there or not: a longer name is put where it was, for a moment.
local function place_behind(key, score, member, reverse)
  local mark = member .. '\0'
  call('ZADD', key, score, mark)
  local rank = call(reverse and 'ZREVRANK' or 'ZRANK', key, mark)
  call('ZREM', key, mark)
  if reverse and call('ZREVRANGE', key, rank, rank)[1] == member then
    return rank + 1
  end
  return rank
end

-- Members of a sorted set behind the one that the cursor (score:member) names, and the cursor of the next page.
local function page_of(key, cursor, number, reverse)
  local score, member = string.match(cursor, '^([^:]+):(.*)$')
  local from = tonumber(score) and place_behind(key, score, member, reverse) or 0
  local scored = call(reverse and 'ZREVRANGE' or 'ZRANGE', key, from, from + number - 1, 'WITHSCORES')
  local ids = {}
  for i = 1, #scored, 2 do
    ids[#ids + 1] = scored[i]
  end
  return ids, #ids == number and scored[#scored] .. ':' .. ids[#ids] or ''
end

-- Ids of a hash or set, which has no order, and where the next page begins. One step of a scan may bring more than was asked for: a cursor says where
-- the step began and which of its ids, in their order, was the last.
local function scan_page(command, key, cursor, number)
  local from, last = string.match(cursor, '^(%d+):(.*)$')
  from, last = from or '0', last or ''
  local scanned = call(command, key, from, 'COUNT', number)
  local all, ids = {}, {}
  for i = 1, #scanned[2], command == 'HSCAN' and 2 or 1 do
    if scanned[2][i] > last then
      all[#all + 1] = scanned[2][i]
    end
  end
  table.sort(all)
  for i = 1, math.min(number, #all) do
    ids[i] = all[i]
  end
  if number < #all then
    return ids, from .. ':' .. ids[number]
  end
  return ids, scanned[1] ~= '0' and scanned[1] .. ':' or ''
end

-- Where in READY what comes behind an entry begins, which was at `at` then. If it is gone, all before it are.
local function behind_ready(at, id)
  local first = math.max(0, at - 2000)
  local window = call('LRANGE', READY, first, at)
  for i = #window, 1, -1 do
    if window[i] == id then
      return first + i
    end
  end
  local place = call('LPOS', READY, id, 'MAXLEN', at + 1000)
  return place and place + 1 or 0
end

-- Waiting jobs: first those of higher priorities than READY, then READY, then the others. A cursor names an entry of READY ('r<place>:<id>') or of a
-- sorted set ('q<entry of INDEX, its length before it>:<score>:<id>').
local function waiting_page(cursor, number)
  local ids = {}
  local at, id = string.match(cursor, '^r(%d+):(.*)$')
  local length, rest = string.match(cursor, '^q(%d+):(.*)$')
  local entry, score, member
  if length then
    entry = string.sub(rest, 1, tonumber(length))
    score, member = string.match(string.sub(rest, tonumber(length) + 1), '^:([^:]+):(.*)$')
  end
  local queue = entry and tonumber(score) and X.read_entry(entry)
  local function ready(from)
    local some = call('LRANGE', READY, from, from + number - #ids - 1)
    local dead, seen = tombstones > 0 and #some > 0 and call('HMGET', TOMBSTONES, unpack(some)) or {}, {}
    for i, one in ipairs(some) do
      seen[one] = (seen[one] or 0) + 1
      if seen[one] > (bounded(dead[i] or nil, 0, 1e9) or 0) then
        ids[#ids + 1] = one
      end
    end
    local more = #some > 0 and (#ids >= number or call('LLEN', READY) > from + #some)
    return more and string.format('r%d:%s', from + #some - 1, some[#some])
  end
  -- What is in one sorted set, from an entry on; the cursor if the page is full.
  local function sorted(one, from)
    local scored = call('ZRANGE', one.key, from, from + number - #ids - 1, 'WITHSCORES')
    for i = 1, #scored, 2 do
      ids[#ids + 1] = scored[i]
    end
    return #ids >= number and #scored > 0 and string.format('q%d:%s:%s:%s', #one.entry, one.entry, scored[#scored], scored[#scored - 1])
  end
  local ready_over, from = false, 0
  local full
  if at then
    full = ready(behind_ready(tonumber(at), id))
    ready_over = true
    from = call('ZCOUNT', keys.index, '-inf', '(0')
  elseif queue then
    ready_over = queue.priority <= 0
    full = sorted(queue, place_behind(queue.key, score, member))
    from = place_behind(keys.index, string.format('%.0f', -queue.priority), entry)
  end
  while not full do
    local some = X.queues(from, 1000)
    for _, one in ipairs(some) do
      if not ready_over and one.priority <= 0 then
        ready_over = true
        full = ready(0)
        if full then
          break
        end
      end
      full = sorted(one, 0)
      if full then
        break
      end
    end
    if #some < 1000 and not full then
      full = not ready_over and ready(0) or ''
    end
    from = from + 1000
  end
  return ids, full
end

local function page(state, cursor, number)
  if state == 'failed' then
    return page_of(FAILED_AT, cursor, number, true)
  elseif state == 'delayed' then
    return page_of(keys.delayed, cursor, number)
  elseif state == 'blocked' then
    return scan_page('SSCAN', keys.blocked, cursor, number)
  elseif state == 'active' then
    return scan_page('HSCAN', OWNER, cursor, number)
  end
  return waiting_page(cursor, number)
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
    if job and (job[2] == ARGV[2] or ARGV[2] == 'active') then
      answer[#answer + 1] = job
    end
  end
  return cmsgpack.pack(answer)
elseif what == 'counts' then
  local priority = string.match(ARGV[2], '^(-?%d+):')
  local from = priority and place_behind(keys.index, string.format('%.0f', -priority), ARGV[2]) or 0
  local counts, page = {}, X.queues(from, 1000)
  local function note(priority, task, number)
    if number > 0 then
      counts[#counts + 1] = { string.format('%.0f', priority), task, number }
    end
  end
  for _, queue in ipairs(page) do
    note(queue.priority, queue.task, call('ZCARD', queue.key))
  end
  if ARGV[2] == '' then
    note(0, '', call('LLEN', READY) - tombstones)
  end
  return cmsgpack.pack({ counts, ARGV[2] == '' and X.paused_tasks() or {}, X.chooser(), #page == 1000 and page[1000].entry or '' })
end
local scanned = call('SSCAN', MEMBERS, ARGV[2] == '' and '0' or ARGV[2], 'COUNT', 100)
local answer = { scanned[1] ~= '0' and scanned[1] or '' }
for _, inc in ipairs(scanned[2]) do
  local lease = call('ZSCORE', DUE, 'L:' .. inc)
  local score = X.score(inc, X.member(inc))
  local member = { inc, lease and math.max(0, lease - now) or 0, call('SCARD', key_of('active', inc)),
    score and credit_of(tonumber(score)) or 0 }
  for i, value in ipairs(call('HGETALL', key_of('member', inc))) do
    member[4 + i] = value
  end
  answer[#answer + 1] = member
end
return cmsgpack.pack(answer)
