-- Returns jobs, queues and members for inspections; changes nothing.
-- KEYS  the fixed keys
-- ARGV  'job', id | 'jobs', state (waiting, active, delayed, blocked, failed, completed), cursor ('' = from the start), how many | 'counts', cursor |
--       'members', cursor | 'limits', cursor | 'limit', name | 'flow', id of a flow or of a job, cursor | 'inputs', node of a job, cursor |
--       'outputs', nodes (msgpack) | 'snapshot'
-- Returns  msgpack: a job: {id, state, record, owner, due in ms or 0, progress, reason, error text, time in ms at which it ended, traceback, outcome,
--       log (msgpack, only of a single job; or '')}, or '' if there is none |
--       {cursor of the next page or '', job, ...} | {{{priority, task, number, groups}, ...}, {paused task, ...}, chooser or '', cursor} |
--       flow: {id, cursor, cancel_rest, jobs, id, state, ..., {id, {dependency, ...}, ...}}, or '' if there is none | inputs: {cursor, what a failed
--       dependency does, id, letter and node, ...} | outputs: {letter and outcome, ...}, of as many nodes as fit in a call, at least one |
--       {counts, the first page of 'counts', the first page of 'members', id of the first waiting job or ''} |
--       {cursor, {inc, ms until its lease ends, active, credit, name, value, ...}, ...} | {cursor, limit, ...}, see limit_state.describe | a limit
local chooser = require('chooser')
local clock = require('clock')
local due_entries = require('due_entries')
local extras = require('extras')
local failures = require('failures')
local history = require('history')
local keys = require('keys')
local limits = require('limits')
local meta = require('meta')
local owner = require('owner')
local pages = require('pages')
local queues = require('queues')
local ranking = require('ranking')
local rare_keys = require('rare_keys')
local record = require('record')
local reply = require('reply')
local values = require('values')
local workers = require('workers')
local counts = lazy('counts')
local limit_state = lazy('limit_state')
local flow_pages = lazy('flow_pages')
local logs = lazy('logs')
local turns = lazy('turns')
local call = redis.call

-- Bounds of one call.
local QUEUES, MEMBERS, LIMITS = 1000, 100, 200
-- The position of the state in a description.
local STATE = 2

-- The lines of a log, as they are returned.
local function packed_log(lines)
  return type(lines) == 'table' and #lines > 0 and cmsgpack.pack(lines) or ''
end

-- An entry of an ended job, and functions that return a text and the time in it. Of a damaged entry they return what is readable, so that it does not
-- prevent the inspection of others.
local function read_entry(packed)
  local entry = values.unpacked(packed)
  entry = type(entry) == 'table' and entry or {}
  local function text(at)
    return type(entry[at]) == 'string' and entry[at] or ''
  end
  local function time(at)
    return math.floor(values.bounded(entry[at], 0, limits.LATEST) or 0)
  end
  return entry, text, time
end

local function describe_failed(id, packed, whole)
  local entry, text, time = read_entry(packed)
  local reason, message, traceback = text(failures.REASON), text(failures.TEXT), text(failures.TRACEBACK)
  local log = packed_log(whole and entry[failures.LOG])
  return { id, 'failed', text(failures.RECORD), '', 0, '', reason, message, time(failures.TIME), traceback, '', log }
end

-- A completed job that is kept.
local function describe_completed(id, whole)
  local packed = call('HGET', rare_keys.completed, id)
  if not packed then
    return nil
  end
  local entry, text, time = read_entry(packed)
  local log = packed_log(whole and entry[history.LOG])
  return { id, 'completed', text(history.RECORD), text(history.OWNER), 0, '', '', '', time(history.TIME), '', text(history.OUTCOME), log }
end

-- The state of a job that has not failed, and when it is due.
local function state_of(id, held)
  if held then
    return owner.is_deleting(held) and 'deleting' or 'active', 0
  end
  local delayed = call('ZSCORE', rare_keys.delayed, id)
  if delayed then
    -- As a time of day.
    return 'delayed', math.max(1, math.floor(tonumber(delayed) - clock.offset))
  end
  return call('SISMEMBER', rare_keys.blocked, id) == 1 and 'blocked' or 'waiting', 0
end

-- `whole`: with the log.
local function describe(id, whole)
  local failed = call('HGET', keys.failed, id)
  if failed then
    return describe_failed(id, failed, whole)
  end
  local held, found = call('HGET', keys.owner, id), call('HGET', keys.jobs, id)
  if not held and not found then
    return describe_completed(id, whole)
  end
  local state, due = state_of(id, held)
  local log = packed_log(whole and found and record.has_extras(found) and extras.of(found).logged and logs().lines_of(id))
  return { id, state, found or '', held or '', due, call('HGET', rare_keys.progress, id) or '', '', '', 0, '', '', log }
end

local function page_of_jobs(state, cursor, number)
  -- Limited to the payload bytes of one call.
  local ids, next_cursor = pages.jobs(state, cursor, math.min(number, meta.move_limit))
  local answer = { next_cursor }
  for _, id in ipairs(ids) do
    local job = state == 'completed' and describe_completed(id, false) or describe(id, false)
    -- A list may contain ids of deleted jobs.
    if job and (job[STATE] == state or state == 'active') then
      answer[#answer + 1] = job
    end
  end
  return answer
end

local function page_of_counts(cursor)
  local priority = string.match(cursor, '^(-?%d+)[*:]')
  local from = priority and pages.behind_queue(cursor, tonumber(priority)) or 0
  local found, entries = queues.page(from, QUEUES)
  local noted = {}
  local function note(queue_priority, task, number, groups)
    if number > 0 then
      noted[#noted + 1] = { string.format('%.0f', queue_priority), task, number, groups }
    end
  end
  for _, queue in ipairs(found) do
    if queue.grouped then
      note(queue.priority, queue.task, turns().count(queue))
    else
      note(queue.priority, queue.task, call('ZCARD', queue.key), 0)
    end
  end
  local paused = {}
  if cursor == '' then
    note(0, '', call('LLEN', keys.ready) - meta.tombstones, 0)
    paused = call('SMEMBERS', rare_keys.paused)
  end
  local last = found[#found]
  return { noted, paused, chooser.incarnation(), entries == QUEUES and last and last.entry or '' }
end

local function describe_member(inc)
  local lease_end = call('ZSCORE', keys.due, due_entries.LEASE .. inc)
  local score = tonumber(workers.score(inc, workers.read(inc)) or nil)
  local member = {
    inc,
    lease_end and math.max(0, lease_end - clock.now) or 0,
    call('SCARD', keys.of('active', inc)),
    score and ranking.credit(score) or 0,
  }
  for _, value in ipairs(call('HGETALL', keys.of('member', inc))) do
    member[#member + 1] = value
  end
  return member
end

local function page_of_members(cursor)
  local scanned = call('SSCAN', keys.members, cursor == '' and '0' or cursor, 'COUNT', MEMBERS)
  local answer = { scanned[1] ~= '0' and scanned[1] or '' }
  for _, inc in ipairs(scanned[2]) do
    answer[#answer + 1] = describe_member(inc)
  end
  return answer
end

-- Limits with figures, then those without at which jobs wait. The cursor is a letter of the two, and that of a scan.
local function page_of_limits(cursor)
  local part, from = string.match(cursor, '^([fw])(%d+)$')
  part, from = part or 'f', from or '0'
  local scanned = call('HSCAN', part == 'f' and rare_keys.limits or rare_keys.limit_turns, from, 'COUNT', LIMITS)
  local next_cursor = scanned[1] ~= '0' and part .. scanned[1] or part == 'f' and 'w0' or ''
  local answer = { next_cursor }
  for i = 1, #scanned[2], 2 do
    local name = scanned[2][i]
    if part == 'f' or call('HEXISTS', rare_keys.limits, name) == 0 then
      answer[#answer + 1] = limit_state().describe(name)
    end
  end
  return answer
end

local what = ARGV[1]
if what == 'job' then
  local job = describe(ARGV[2], true)
  return reply(job and cmsgpack.pack(job) or '')
elseif what == 'jobs' then
  return reply(cmsgpack.pack(page_of_jobs(ARGV[2], ARGV[3], tonumber(ARGV[4]))))
elseif what == 'counts' then
  return reply(cmsgpack.pack(page_of_counts(ARGV[2])))
elseif what == 'limits' then
  return reply(cmsgpack.pack(page_of_limits(ARGV[2])))
elseif what == 'limit' then
  return reply(cmsgpack.pack(limit_state().describe(ARGV[2])))
elseif what == 'flow' then
  local page = flow_pages().flow(ARGV[2], ARGV[3], state_of)
  return reply(page and cmsgpack.pack(page) or '')
elseif what == 'inputs' then
  return reply(cmsgpack.pack(flow_pages().inputs(ARGV[2], ARGV[3])))
elseif what == 'outputs' then
  return reply(cmsgpack.pack(flow_pages().outputs(cmsgpack.unpack(ARGV[2]))))
elseif what == 'snapshot' then
  local first = pages.jobs('waiting', '', 1)[1] or ''
  return reply(cmsgpack.pack({ counts().all(), page_of_counts(''), page_of_members(''), first }))
end
return reply(cmsgpack.pack(page_of_members(ARGV[2])))
