-- Logs of jobs: the lines that handlers wrote, and the attempts that failed, in `log:<id>` while the job exists; `logs` has the ids. The record of
-- such a job is marked, so that its end removes its log. The log of an ended job that is kept is a part of its entry. A line is
-- <fence>:<number>:<time in ms>:<text>, or for an attempt <fence>:<reason>:<time in ms>:<incarnation>:<error text>.
local clock = require('clock')
local extras = require('extras')
local keys = require('keys')
local limits = require('limits')
local meta = require('meta')
local owner = require('owner')
local rare_keys = require('rare_keys')
local record = require('record')
local call = redis.call
local logs = {}

-- The limit of lines of a job; the newest are kept.
local MAX_LINES = 100
-- The longest error text of an attempt, in bytes.
local MAX_TEXT = 1024
local CUT = '…'

local function push(key, lines)
  local excess = call('RPUSH', key, unpack(lines)) - MAX_LINES
  if excess > 0 then
    call('LPOP', key, excess)
  end
end

local function append(id, fence, lines)
  local key = keys.of('log', id)
  -- A round that is sent again has lines that are stored already.
  local last_fence, last_number = string.match(call('LINDEX', key, -1) or '', '^(%d+):(%d+):')
  local known = tonumber(last_fence) == fence and tonumber(last_number) or 0
  local new = {}
  for i = 1, #lines, 3 do
    if lines[i] > known then
      local time = math.max(0, clock.wall - lines[i + 1])
      new[#new + 1] = string.format('%d:%d:%d:', fence, lines[i], time) .. lines[i + 2]
    end
  end
  if #new > 0 then
    push(key, new)
  end
end

-- Appends lines to logs of active jobs: id, fence, {number, age in ms, text, ...}, ...; the numbers of an execution grow.
function logs.append(list)
  local ids, changed, listed, there = {}, {}, {}, {}
  for i = 1, #list, 3 do
    ids[#ids + 1] = list[i]
  end
  for i, found in ipairs(call('HMGET', keys.jobs, unpack(ids))) do
    local marked = found and (extras.of(found).logged and found or extras.with_log(found))
    -- The end of a job whose record is damaged does not remove a log.
    if marked and extras.of(marked).logged then
      if marked ~= found then
        changed[#changed + 1], changed[#changed + 2] = ids[i], marked
        meta.note_size(#marked)
      end
      listed[#listed + 1], listed[#listed + 2] = ids[i], ''
      there[#there + 1] = i
    end
  end
  if #changed > 0 then
    call('HSET', keys.jobs, unpack(changed))
  end
  if #listed > 0 then
    call('HSET', rare_keys.logs, unpack(listed))
  end
  for _, i in ipairs(there) do
    append(ids[i], list[3 * i - 1], list[3 * i])
  end
end

-- The beginning of a text, without a part of a character at its end, and what stands for the rest.
local function cut(text)
  if #text <= MAX_TEXT then
    return text
  elseif string.byte(text) == limits.ENVELOPE then
    -- A part of an encrypted text cannot be read.
    return ''
  end
  return string.gsub(string.sub(text, 1, MAX_TEXT - #CUT), '[\192-\255][\128-\191]*$', '') .. CUT
end

-- The line of an attempt that failed; nil if its owner is not known.
local function attempt(by, reason, text)
  local fence, inc = owner.read(by)
  return fence and string.format('%d:%s:%d:%s:', fence, reason, clock.wall, inc) .. cut(text) or nil
end

-- Appends attempts that failed to the logs of jobs that continue. `owners`: those that the jobs had. `reason`: `failed`, `run_timeout` or `crashed`.
-- Returns the records, marked, which the caller stores.
function logs.note(ids, records, owners, reason, text)
  local marked, listed = {}, {}
  for i, found in ipairs(records) do
    local line, known = attempt(owners[i], reason, text), extras.of(found).logged
    marked[i] = line and not known and extras.with_log(found) or found
    if line and extras.of(marked[i]).logged then
      push(keys.of('log', ids[i]), { line })
      if not known then
        listed[#listed + 1], listed[#listed + 2] = ids[i], ''
      end
    end
  end
  if #listed > 0 then
    call('HSET', rare_keys.logs, unpack(listed))
  end
  return marked
end

function logs.drop(ids)
  if #ids == 0 then
    return
  end
  local lists = {}
  for i, id in ipairs(ids) do
    lists[i] = keys.of('log', id)
  end
  call('UNLINK', unpack(lists))
  call('HDEL', rare_keys.logs, unpack(ids))
end

-- The lines of a job; nil if there are none.
function logs.lines_of(id)
  local lines = call('LRANGE', keys.of('log', id), 0, -1)
  return #lines > 0 and lines or nil
end

-- The lines of a job that ends, which has no log from now on; nil if there are none.
function logs.take(id)
  local lines = logs.lines_of(id)
  logs.drop({ id })
  return lines
end

-- The lines of a job that fails, which has no log from now on, with its last attempt if it had an owner; nil if there are none.
function logs.of_failed(id, found, by, reason, text)
  local lines = record.has_extras(found) and extras.of(found).logged and logs.take(id) or {}
  lines[#lines + 1] = attempt(by, reason, text)
  if #lines > MAX_LINES then
    table.remove(lines, 1)
  end
  return #lines > 0 and lines or nil
end

-- Failed jobs are retried: their lines, by id.
function logs.restore(lines_of)
  local lists, listed = {}, {}
  for id in pairs(lines_of) do
    lists[#lists + 1] = keys.of('log', id)
    listed[#listed + 1], listed[#listed + 2] = id, ''
  end
  if #lists == 0 then
    return
  end
  call('UNLINK', unpack(lists))
  for id, lines in pairs(lines_of) do
    call('RPUSH', keys.of('log', id), unpack(lines))
  end
  call('HSET', rare_keys.logs, unpack(listed))
end

-- For the sweep: removes the logs of jobs that are gone, or whose record is not marked. Returns how many.
function logs.mend(ids)
  local gone = {}
  for i, found in ipairs(call('HMGET', keys.jobs, unpack(ids))) do
    if not found or not record.has_extras(found) or not extras.of(found).logged then
      gone[#gone + 1] = ids[i]
    end
  end
  logs.drop(gone)
  return #gone
end

return logs
