-- Registers an incarnation. A repeated call changes nothing.
-- KEYS  the fixed keys
-- ARGV  incarnation, lease in ms, fields of the member (msgpack: name, value, ...), settings of the cluster (msgpack: name, value, ...),
--       the incarnation of the worker before, or ''
-- Returns  {epoch of the store, ms until the next due entry, orders that the worker has not confirmed before (msgpack) or false, the cluster's time in ms}
local broadcast = require('broadcast')
local clock = require('clock')
local due_entries = require('due_entries')
local inbox_kinds = require('inbox_kinds')
local keys = require('keys')
local meta = require('meta')
local registry = require('registry')
local reply = require('reply')
local tick = require('tick')
local events = lazy('events')
local orders = lazy('orders')
local workers = lazy('workers')
local call = redis.call

local PROTOCOL = 1
-- A long value makes Redis store the hash as a table from the start: a packed hash is searched from its start.
local UNPACKED = string.rep('-', 65)

local inc, lease, before = ARGV[1], tonumber(ARGV[2]), ARGV[5]
local fields, settings = cmsgpack.unpack(ARGV[3]), cmsgpack.unpack(ARGV[4])

local epoch = meta.epoch
if not meta.protocol then
  epoch = inc
  meta.remember('protocol', PROTOCOL)
  meta.remember('epoch', epoch)
  meta.remember('created', clock.wall)
end
for _, key in ipairs({ keys.meta, keys.jobs, keys.owner, keys.results }) do
  call('HSETNX', key, '', UNPACKED)
end
call('HSETNX', keys.meta, 'add:' .. inc, cmsgpack.pack({ 0, false }))
-- In ms, with microseconds: members are listed in the order in which they joined.
call('HSET', keys.of('member', inc), 'joined', string.format('%.3f', clock.micros / 1000), 'lease', lease, unpack(fields))
local new = call('SADD', keys.members, inc) == 1
call('ZADD', keys.due, clock.now + lease, due_entries.LEASE .. inc)

-- letters: 'l' messages, 'w' members that join or leave
local function subscribe(letters)
  if string.find(letters, 'l', 1, true) then
    registry.listen(inc)
  end
  if string.find(letters, 'w', 1, true) then
    registry.watch(inc)
  end
end

for i = 1, #fields, 2 do
  if fields[i] == 'tasks' then
    workers().add_tasks(fields[i + 1])
  elseif fields[i] == 'subscriptions' then
    subscribe(fields[i + 1])
  end
end
if new then
  registry.notify_watchers('joined', inc)
end

-- Members that follow events renew this before it ends.
local FOLLOWED = 30000

local function set_recording(value)
  if value == 'always' then
    events().record(value)
  elseif meta.recording == 'always' then
    meta.remember('recording', clock.now + FOLLOWED)
  end
end

-- Wakes other members: those with longer leases may sleep longer than the time after which this one counts as lost.
local shortest = tonumber(call('HGET', keys.meta, 'shortest_lease'))
if not shortest or lease < shortest then
  meta.remember('shortest_lease', lease)
  if shortest then
    broadcast.post('members', inbox_kinds.WAKE, '', inc)
  end
end
for i = 1, #settings, 2 do
  if settings[i] == 'completed_max' and not meta.keeps_completed and tonumber(settings[i + 1]) > 0 then
    -- Workers learn with their next round that completed jobs are kept.
    broadcast.post('members', inbox_kinds.WAKE, '', inc)
  end
  if settings[i] == 'recording' then
    set_recording(settings[i + 1])
  else
    meta.remember(settings[i], settings[i + 1])
  end
end
local kept = before ~= '' and orders().take_over(inc, before)
return reply({ epoch, (tick(lease)), kept, clock.now })
