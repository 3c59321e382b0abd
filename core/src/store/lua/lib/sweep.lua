-- Repairs damage in Redis, page by page: requeues jobs that are in no queue, reclaims the property of members that are gone, and adds missing due
-- entries. Runs at most one page a second, or as fast as members send rounds while `due` has an entry for it.
local clock = require('clock')
local due_entries = require('due_entries')
local keys = require('keys')
local mending = require('mending')
local meta = require('meta')
local places = require('places')
local rare_keys = require('rare_keys')
local script = require('script')
local special = require('special')
local tombstones = require('tombstones')
local firing = lazy('firing')
local limit_state = lazy('limit_state')
local orders = lazy('orders')
local call = redis.call
local sweep = {}

-- Entries of a page; pages in one call while damage is searched; ids repaired at once.
local PAGE, PAGES, AT_ONCE = 200, 5, 1000

-- The keys to scan, one after the other. `step`: how many items of a reply are one entry. `reads_records`: the record of the job of each is read.
local pages = {
  { letter = 'j', command = 'HSCAN', key = keys.jobs, step = 2, mend = mending.jobs, reads_records = true },
  { letter = 'o', command = 'HSCAN', key = keys.owner, step = 2, mend = mending.owned },
  { letter = 'r', command = 'HSCAN', key = rare_keys.resources, step = 2, mend = mending.resources },
  { letter = 'u', command = 'HSCAN', key = rare_keys.unique, step = 2, mend = mending.unique, reads_records = true },
  { letter = 's', command = 'HSCAN', key = rare_keys.stopping, step = 2, mend = mending.stopping },
  { letter = 't', command = 'HSCAN', key = rare_keys.limit_turns, step = 2, mend = mending.turns },
  { letter = 'v', command = 'HSCAN', key = rare_keys.stopping_limits, step = 2, mend = mending.stopping },
  { letter = 'm', command = 'SSCAN', key = keys.members, step = 1, mend = mending.members },
  { letter = 'l', command = 'ZSCAN', key = keys.load, step = 2, mend = mending.load },
  { letter = 'q', command = 'ZSCAN', key = rare_keys.index, step = 2, mend = mending.index },
  {
    letter = 'h',
    command = 'HSCAN',
    key = rare_keys.schedules,
    step = 2,
    mend = function(ids)
      firing().mend(ids)
    end,
  },
  {
    letter = 'a',
    command = 'HSCAN',
    key = rare_keys.orders,
    step = 2,
    mend = function(incs)
      orders().mend(incs)
    end,
  },
  { letter = 'e', command = 'HSCAN', key = rare_keys.logs, step = 2, mend = mending.logs, reads_records = true },
}

local function recount_tombstones()
  if call('HLEN', keys.tombstones) > places.SHORT then
    return
  end
  local sum = 0
  for _, number in ipairs(call('HVALS', keys.tombstones)) do
    sum = sum + tombstones.count(number)
  end
  if sum ~= meta.tombstones then
    tombstones.set(sum)
  end
end

-- At the end of a turn: repairs derived numbers, and entries of `due` that stand for many.
local function mend_rest()
  special.queues, special.pauses = call('ZCARD', rare_keys.index), call('SCARD', rare_keys.paused)
  special.update()
  local first = call('ZRANGE', rare_keys.delayed, 0, 0, 'WITHSCORES')
  if first[2] then
    call('ZADD', keys.due, 'LT', first[2], due_entries.DELAYED)
  end
  if call('EXISTS', rare_keys.broadcasts) == 1 then
    call('ZADD', keys.due, 'NX', clock.now, due_entries.BROADCAST)
  end
  if call('EXISTS', rare_keys.settling) == 1 then
    call('ZADD', keys.due, 'NX', clock.now, due_entries.SETTLE)
  end
  for _, nonce in ipairs(call('HRANDFIELD', rare_keys.stages, PAGE)) do
    call('ZADD', keys.due, 'NX', clock.now, due_entries.STAGE .. nonce)
  end
  recount_tombstones()
  if call('EXISTS', rare_keys.limit_times) == 1 then
    limit_state().forget_old()
  end
  if call('EXISTS', rare_keys.schedule_times) == 1 and not call('ZSCORE', keys.due, due_entries.SCHEDULE) then
    call('ZADD', keys.due, clock.now, due_entries.SCHEDULE)
  end
  first = call('ZRANGE', rare_keys.completed_until, 0, 0, 'WITHSCORES')
  if first[2] then
    call('ZADD', keys.due, 'LT', first[2], due_entries.COMPLETED)
  end
  if special.asked and special.chooser then
    call('ZADD', keys.due, 'NX', clock.now + special.chooser.time, due_entries.CHOICE)
  end
  if call('SCARD', rare_keys.stray) == 0 then
    call('ZREM', keys.due, due_entries.SWEEP)
  end
end

-- Repairs one page. Returns the cursor of the next one, '0' if there is none.
local function mend_page(page, cursor)
  local count = page.reads_records and math.max(1, math.floor(meta.move_limit * PAGE / 1000)) or PAGE
  local scanned = call(page.command, page.key, cursor, 'COUNT', count)
  local names = {}
  for i = 1, #scanned[2], page.step do
    -- The entry with the empty name only keeps Redis from packing a hash; in `resources` it is the resource of suspects.
    if scanned[2][i] ~= '' or page.key == rare_keys.resources then
      names[#names + 1] = scanned[2][i]
    end
  end
  for from = 1, #names, AT_ONCE do
    page.mend({ unpack(names, from, math.min(#names, from + AT_ONCE - 1)) })
  end
  return scanned[1]
end

local function read_position()
  local letter, cursor = string.match(call('HGET', keys.meta, 'sweep') or '', '^(%a)(%d+)$')
  for at, page in ipairs(pages) do
    if page.letter == letter then
      return at, cursor
    end
  end
  return 1, '0'
end

-- The page that follows: that of a key which exists, or the first.
local function next_page(at)
  repeat
    at = at % #pages + 1
  until at == 1 or call('EXISTS', pages[at].key) == 1
  return at
end

-- Runs one page, and more while damage is searched. `hasty`: an entry of `due` requested it.
function sweep.run(hasty)
  meta.remember('swept', clock.now)
  local at, cursor = read_position()
  for _ = 1, hasty and PAGES or 1 do
    -- What jobs had that ended in this call is not damaged: it is about to be passed on. Nor are jobs that this call has just queued.
    script.settle()
    places.forget()
    mending.jobs(call('SPOP', rare_keys.stray, PAGE), true)
    cursor = mend_page(pages[at], cursor)
    if cursor == '0' then
      at = next_page(at)
      if at == 1 then
        mend_rest()
        break
      end
    end
  end
  meta.remember('sweep', pages[at].letter .. cursor)
end

return sweep
