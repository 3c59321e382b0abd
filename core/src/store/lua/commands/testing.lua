-- For tests: moves the clock of the cluster, and shows what is left to do. The clock of all scripts has the offset only in clusters for tests; see
-- `script.rs`.
-- KEYS  the fixed keys
-- ARGV  what to do, and more; lists are msgpack
--       'wake': asks members to renew their leases, whose time to end it lowers by 1 ms. Returns {incarnation, end of its lease, ...}
--       'renewed', {incarnation, end of its lease, ...}: returns the incarnations of those that have renewed since
--       'shift', offset in ms, {incarnation, ...}: sets the offset of the clock if it is larger than before, and moves the leases of these members
--         and the end of the recording of events by the same time. Returns ''
--       'look', lease in ms, {incarnation, ...}: processes what is due. Returns {waiting, active, entries of `due` that jobs wait for and that are
--         due, ms until the next entry that is no lease of these members, or -1, schedules whose next slots are wanted (msgpack or '')}
--       'offset': returns the offset of the clock in ms
--       'rouse': wakes the members, so that they learn when the next entry is due. Returns ''
local clock = require('clock')
local due_entries = require('due_entries')
local inbox = require('inbox')
local inbox_kinds = require('inbox_kinds')
local keys = require('keys')
local limits = require('limits')
local meta = require('meta')
local rare_keys = require('rare_keys')
local reply = require('reply')
local script = require('script')
local tick = require('tick')
local values = require('values')
local call = redis.call

-- Members, and entries of `due`, that a call looks at.
local MEMBERS, PAGE = 1000, 500

local function members()
  return call('SRANDMEMBER', keys.members, MEMBERS)
end

local function rouse()
  for _, inc in ipairs(members()) do
    inbox.post(inc, inbox_kinds.WAKE, '')
  end
  return ''
end

local function wake()
  rouse()
  local leases = {}
  for _, inc in ipairs(members()) do
    local ends = tonumber(call('ZSCORE', keys.due, due_entries.LEASE .. inc) or '')
    if ends then
      -- So that a renewal within the same millisecond changes it.
      call('ZADD', keys.due, 'XX', ends - 1, due_entries.LEASE .. inc)
      leases[#leases + 1], leases[#leases + 2] = inc, ends - 1
    end
  end
  return cmsgpack.pack(leases)
end

local function renewed(leases)
  local found = {}
  for i = 1, #leases, 2 do
    -- Without a lease it has left.
    if tonumber(call('ZSCORE', keys.due, due_entries.LEASE .. leases[i]) or '') ~= leases[i + 1] then
      found[#found + 1] = leases[i]
    end
  end
  return cmsgpack.pack(found)
end

local function current_offset()
  return values.bounded(call('HGET', keys.meta, 'testing_offset'), 0, limits.LATEST) or 0
end

local function shift(offset, live)
  local step = offset - current_offset()
  if step <= 0 or clock.now + step > limits.LATEST then
    return ''
  end
  for _, inc in ipairs(live) do
    local ends = call('ZSCORE', keys.due, due_entries.LEASE .. inc)
    if ends then
      call('ZADD', keys.due, 'XX', tonumber(ends) + step, due_entries.LEASE .. inc)
    end
  end
  if clock.recording and meta.recording ~= 'always' then
    meta.remember('recording', tonumber(meta.recording) + step)
  end
  -- As if scripts had run all the time.
  clock.now = clock.now + step
  meta.remember('testing_offset', offset)
  meta.remember('now', clock.now)
  meta.remember('ticked', clock.now)
  return ''
end

local function entries(key)
  return math.max(0, call('HLEN', key) - 1)
end

-- The ms until the first slot of all schedules, or nil.
local function first_slot()
  local slot = call('ZRANGE', rare_keys.schedule_times, 0, 0, 'WITHSCORES')[2]
  return slot and math.max(1, tonumber(slot) - clock.wall)
end

-- How many entries of `due` that jobs wait for are over; and the ms until the next entry that is no lease of a live member, or -1.
local function ahead(live)
  -- The entry of all schedules is due before the first slot, to look at the server's clock.
  local passed_over = { [due_entries.SCHEDULE] = true }
  for _, inc in ipairs(live) do
    passed_over[due_entries.LEASE .. inc] = true
  end
  local over, found = 0, call('ZRANGE', keys.due, 0, PAGE - 1, 'WITHSCORES')
  local slot = first_slot()
  for i = 1, #found, 2 do
    local time = tonumber(found[i + 1])
    if time > clock.now then
      if not passed_over[found[i]] then
        return over, math.min(slot or math.huge, time - clock.now)
      end
    elseif string.find(due_entries.OF_JOBS, string.sub(found[i], 1, 1), 1, true) then
      over = over + 1
    end
  end
  return over, slot or -1
end

local function look(lease, live)
  script.answer = { 0, 0, 1, -1, '' }
  tick(lease)
  local owned = entries(keys.owner)
  local deleting = tonumber(call('HGET', keys.meta, 'deleting') or '') or 0
  local elsewhere = call('ZCARD', rare_keys.delayed) + call('SCARD', rare_keys.blocked)
  local over, soonest = ahead(live)
  script.answer = {
    math.max(0, entries(keys.jobs) - (owned - deleting) - elsewhere), owned, over, soonest, script.slots and cmsgpack.pack(script.slots) or '',
  }
  return script.answer
end

local what = ARGV[1]
local answer = ''
if what == 'wake' then
  answer = wake()
elseif what == 'rouse' then
  answer = rouse()
elseif what == 'offset' then
  answer = current_offset()
elseif what == 'renewed' then
  answer = renewed(cmsgpack.unpack(ARGV[2]))
elseif what == 'shift' then
  answer = shift(tonumber(ARGV[2]), cmsgpack.unpack(ARGV[3]))
elseif what == 'look' then
  answer = look(tonumber(ARGV[2]), cmsgpack.unpack(ARGV[3]))
end
return reply(answer)
