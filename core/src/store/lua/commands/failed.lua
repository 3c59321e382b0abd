-- Requeues failed jobs, the oldest first, or deletes failed or completed jobs that are kept.
-- KEYS  the fixed keys
-- ARGV  'retry', 'delete' or 'delete_completed', ids (msgpack, or '' for all that had ended at the first call),
--       for all: the bound of an earlier answer, or '' at the first call
-- Returns  {how many, 1 if there may be more: call again with the bound; else 0, bound}
local beginnings = require('beginnings')
local clock = require('clock')
local due_entries = require('due_entries')
local event_kinds = require('event_kinds')
local extras = require('extras')
local failures = require('failures')
local history = require('history')
local keys = require('keys')
local limits = require('limits')
local meta = require('meta')
local rare_keys = require('rare_keys')
local record = require('record')
local reply = require('reply')
local values = require('values')
local events = lazy('events')
local logs = lazy('logs')
local call = redis.call

-- The limit of jobs in one call.
local PAGE = 200
-- How many bytes a dependency counts as, so that a call reads no more than some 10,000.
local EDGE = 400

local what, all, bound = ARGV[1], ARGV[2] == '', ARGV[3]
local set = what == 'delete_completed' and history.set or failures.set

-- The next ids of all. Jobs that end again meanwhile have a later time than the bound.
local function next_ids()
  if bound == '' then
    bound = call('ZRANGE', set.times, '+inf', '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, 1, 'WITHSCORES')[2] or '-inf'
  end
  return call('ZRANGE', set.times, '-inf', bound, 'BYSCORE', 'LIMIT', 0, PAGE)
end

-- The jobs of the set among the ids, limited by bytes; and whether others are left for the next call.
local function existing(ids)
  local found, bytes, seen, unknown = {}, 0, {}, {}
  for _, id in ipairs(ids) do
    local size = call('HSTRLEN', set.entries, id)
    local node = what == 'retry' and call('HGET', rare_keys.failed_nodes, id)
    if node then
      size = size + EDGE * call('HLEN', keys.of('inputs', node))
    end
    if size == 0 then
      unknown[#unknown + 1] = id
    elseif not seen[id] and bytes < limits.BYTES then
      seen[id] = true
      bytes = bytes + size
      found[#found + 1] = id
    end
  end
  if #unknown > 0 then
    call('ZREM', set.times, unpack(unknown))
  end
  return found, bytes >= limits.BYTES
end

-- The record of a failed job as it was before its first execution, and the lines of its log, if it has any.
local function record_of(packed)
  local entry = values.unpacked(packed)
  local text = type(entry) == 'table' and entry[failures.RECORD]
  text = type(text) == 'string' and text or ''
  if extras.crashes_of(text) > 0 then
    text = extras.with_crashes(text, 0)
  end
  if record.waits_from(text) then
    text = record.with_time(text, clock.now)
  end
  text = record.has_extras(text) and extras.with_failed(text, extras.of(text), 0) or text
  local lines = type(entry) == 'table' and type(entry[failures.LOG]) == 'table' and entry[failures.LOG] or nil
  local marked = lines and extras.with_log(text) or text
  return marked, lines and extras.of(marked).logged and lines or nil
end

local function retry(ids)
  local records, stored, lines_of = {}, {}, {}
  for i, packed in ipairs(call('HMGET', keys.failed, unpack(ids))) do
    records[i], lines_of[ids[i]] = record_of(packed)
    stored[2 * i - 1], stored[2 * i] = ids[i], records[i]
  end
  failures.forget(ids, true)
  logs().restore(lines_of)
  for _, id in ipairs(ids) do
    call('ZREM', keys.due, due_entries.RESULT .. id)
  end
  call('HDEL', keys.results, unpack(ids))
  call('HSET', keys.jobs, unpack(stored))
  meta.count('revived', #ids)
  beginnings.revive(ids, records)
end

local ids = all and next_ids() or cmsgpack.unpack(ARGV[2])
local found, more = existing(ids)
if #found > 0 and what == 'retry' then
  retry(found)
elseif set == failures.set then
  failures.forget(found)
  for _, id in ipairs(clock.recording and found or {}) do
    events().note(event_kinds.DELETED, id)
  end
else
  history.forget(found)
end
return reply({ #found, (all and #ids == PAGE or more) and 1 or 0, bound })
