-- Pages of job ids by state, for inspections. A cursor stays valid whatever changes between two calls; '' is the start and the end.
local keys = require('keys')
local limits = require('limits')
local ordering = require('ordering')
local queues = require('queues')
local rare_keys = require('rare_keys')
local tombstones = require('tombstones')
local turn_pages = lazy('turn_pages')
local call = redis.call
local pages = {}

-- Queues that are read at once.
local QUEUES = 1000
-- The first is how far an entry of `ready:0` is expected to move between two pages; if it is not found there, so many first entries are searched.
local NEAR, FAR = 2000, 1000

-- Reads members of a sorted set. The cursor is score:member of the last one.
local function sorted_page(key, cursor, number, reverse)
  local score, member = string.match(cursor, '^([^:]+):(.*)$')
  local from = tonumber(score) and ordering.behind(key, score, member, reverse) or 0
  local scored = call(reverse and 'ZREVRANGE' or 'ZRANGE', key, from, from + number - 1, 'WITHSCORES')
  local ids = {}
  for i = 1, #scored, 2 do
    ids[#ids + 1] = scored[i]
  end
  return ids, #ids == number and scored[#scored] .. ':' .. ids[#ids] or ''
end

-- As `sorted_page`, newest first, of as many ids as their entries fit in a call, at least one.
local function fitting_page(entries, key, cursor, number)
  local ids, next_cursor = sorted_page(key, cursor, number, true)
  local bytes = 0
  for i, id in ipairs(ids) do
    bytes = bytes + call('HSTRLEN', entries, id)
    if i > 1 and bytes > limits.BYTES then
      return { unpack(ids, 1, i - 1) }, call('ZSCORE', key, ids[i - 1]) .. ':' .. ids[i - 1]
    end
  end
  return ids, next_cursor
end

-- Reads ids of a hash or set, which has no order. One step of a scan may return more ids than requested: a cursor contains where the step began and
-- which of its ids, in their order, was the last. `step`: how many items of a reply are one entry.
local function scan_page(command, key, step, cursor, number)
  local from, last = string.match(cursor, '^(%d+):(.*)$')
  from, last = from or '0', last or ''
  local scanned = call(command, key, from, 'COUNT', number)
  local all, ids = {}, {}
  for i = 1, #scanned[2], step do
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

-- The index in `ready:0` after an entry that was at `at`. If the entry is gone, all before it are gone, too.
local function behind_ready(at, id)
  local first = math.max(0, at - NEAR)
  local window = call('LRANGE', keys.ready, first, at)
  for i = #window, 1, -1 do
    if window[i] == id then
      return first + i
    end
  end
  local place = call('LPOS', keys.ready, id, 'MAXLEN', at + FAR)
  return place and place + 1 or 0
end

-- Appends entries of `ready:0`. Returns the cursor if there are more.
local function append_ready(ids, number, from)
  local some = call('LRANGE', keys.ready, from, from + number - #ids - 1)
  local alive = tombstones.are_alive(some)
  for i, id in ipairs(some) do
    if alive[i] then
      ids[#ids + 1] = id
    end
  end
  local more = #some > 0 and (#ids >= number or call('LLEN', keys.ready) > from + #some)
  return more and string.format('r%d:%s', from + #some - 1, some[#some])
end

local function grouped_cursor(queue, cursor)
  return string.format('g%d:%s:%s', #queue.entry, queue.entry, cursor)
end

-- Parses the cursor of a queue in which groups take turns: the queue, and the cursor in it.
local function read_grouped_cursor(cursor)
  local length, rest = string.match(cursor, '^g(%d+):(.*)$')
  if not length then
    return nil
  end
  local queue = queues.read_entry(string.sub(rest, 1, tonumber(length)))
  return queue and queue.grouped and queue, string.sub(rest, tonumber(length) + 2)
end

-- Appends entries of one queue, from one entry on. Returns the cursor if the page is full.
local function append_sorted(ids, number, queue, from)
  if queue.grouped then
    local cursor = turn_pages().append(ids, number, queue, '')
    return cursor and grouped_cursor(queue, cursor)
  end
  local scored = call('ZRANGE', queue.key, from, from + number - #ids - 1, 'WITHSCORES')
  for i = 1, #scored, 2 do
    ids[#ids + 1] = scored[i]
  end
  local full = #ids >= number and #scored > 0
  return full and string.format('q%d:%s:%s:%s', #queue.entry, queue.entry, scored[#scored], scored[#scored - 1])
end

-- Parses the cursor of a sorted set: the queue, and score and member of the last entry.
local function read_sorted_cursor(cursor)
  local length, rest = string.match(cursor, '^q(%d+):(.*)$')
  if not length then
    return nil
  end
  local entry = string.sub(rest, 1, tonumber(length))
  local score, member = string.match(string.sub(rest, tonumber(length) + 1), '^:([^:]+):(.*)$')
  return tonumber(score) and queues.read_entry(entry), score, member
end

-- Appends the queues from a rank in `index` on, and `ready:0` at its place if it was not returned before (ready_shown). Returns the cursor or ''.
local function append_queues(ids, number, from, ready_shown)
  while true do
    local some, entries = queues.page(from, QUEUES)
    for _, queue in ipairs(some) do
      if not ready_shown and queue.priority <= 0 then
        ready_shown = true
        local full = append_ready(ids, number, 0)
        if full then
          return full
        end
      end
      local full = append_sorted(ids, number, queue, 0)
      if full then
        return full
      end
    end
    if entries < QUEUES then
      return not ready_shown and append_ready(ids, number, 0) or ''
    end
    from = from + QUEUES
  end
end

-- Waiting jobs: first those of higher priorities than `ready:0`, then `ready:0`, then the others. A cursor contains an entry of `ready:0`
-- ('r<index>:<id>'), of a sorted set ('q<length of the entry of `index`>:<that entry>:<score>:<id>') or of a queue in which groups take turns
-- ('g<length>:<entry of `index`>:<cursor of turn_pages.lua>').
local function waiting_page(cursor, number)
  local ids, full = {}, nil
  local at, id = string.match(cursor, '^r(%d+):(.*)$')
  local queue, score, member = read_sorted_cursor(cursor)
  local grouped, inner = read_grouped_cursor(cursor)
  local ready_shown, from = false, 0
  if at then
    full = append_ready(ids, number, behind_ready(tonumber(at), id))
    ready_shown = true
    from = call('ZCOUNT', rare_keys.index, '-inf', '(0')
  elseif queue then
    ready_shown = queue.priority <= 0
    full = append_sorted(ids, number, queue, ordering.behind(queue.key, score, member))
    from = pages.behind_queue(queue.entry, queue.priority)
  elseif grouped then
    ready_shown = grouped.priority <= 0
    full = turn_pages().append(ids, number, grouped, inner)
    full = full and grouped_cursor(grouped, full)
    from = pages.behind_queue(grouped.entry, grouped.priority)
  end
  return ids, full or append_queues(ids, number, from, ready_shown)
end

-- The rank in `index` after an entry.
function pages.behind_queue(entry, priority)
  return ordering.behind(rare_keys.index, string.format('%.0f', -priority), entry)
end

-- Ids of jobs of a state, and the cursor of the next page.
function pages.jobs(state, cursor, number)
  if state == 'failed' then
    return sorted_page(keys.failed_at, cursor, number, true)
  elseif state == 'completed' then
    return fitting_page(rare_keys.completed, rare_keys.completed_at, cursor, number)
  elseif state == 'delayed' then
    return sorted_page(rare_keys.delayed, cursor, number)
  elseif state == 'blocked' then
    return scan_page('SSCAN', rare_keys.blocked, 1, cursor, number)
  elseif state == 'active' then
    return scan_page('HSCAN', keys.owner, 2, cursor, number)
  end
  return waiting_page(cursor, number)
end

return pages
