-- Registers an incarnation. Sent again, it changes nothing.
-- KEYS  the fixed keys
-- ARGV  incarnation, lease in ms, fields of the member (msgpack: name, value, ...), settings of the cluster (msgpack: name, value, ...)
-- Returns  {epoch of the store, ms until the next due thing}
local inc, lease = ARGV[1], tonumber(ARGV[2])
if not meta[1] then
  epoch = inc
  remember('protocol', 1)
  remember('epoch', epoch)
  remember('created', wall)
end
-- A long value keeps a hash from being packed into a list, which is searched from its start while it is short.
for _, key in ipairs({ META, JOBS, OWNER, RESULTS }) do
  call('HSETNX', key, '', string.rep('-', 65))
end
call('HSETNX', META, 'add:' .. inc, cmsgpack.pack({ 0, false }))
call('HSET', key_of('member', inc), 'joined', wall, 'lease', lease, unpack(cmsgpack.unpack(ARGV[3])))
local new = call('SADD', MEMBERS, inc) == 1
call('ZADD', DUE, now + lease, 'L:' .. inc)
local fields = cmsgpack.unpack(ARGV[3])
for i = 1, #fields, 2 do
  if fields[i] == 'tasks' then
    extras().know_tasks(fields[i + 1])
  elseif fields[i] == 'hears' then
    -- 'l' messages, 'w' who comes and goes
    for letter, method in pairs({ l = 'listen', w = 'watch' }) do
      if string.find(fields[i + 1], letter, 1, true) then
        extras()[method](inc)
      end
    end
  end
end
if new and call('EXISTS', PREFIX .. 'watchers') == 1 then
  extras().tell_watchers('joined', inc)
end
-- Members with longer leases sleep longer than this one may be dead: they have to know.
local shortest = tonumber(call('HGET', META, 'shortest_lease'))
if not shortest or lease < shortest then
  remember('shortest_lease', lease)
  for _, other in ipairs(shortest and call('SMEMBERS', MEMBERS) or {}) do
    if other ~= inc then
      call('XADD', key_of('inbox', other), '*', 'w', '')
    end
  end
end
local settings = cmsgpack.unpack(ARGV[4])
for i = 1, #settings, 2 do
  remember(settings[i], settings[i + 1])
end
local wait = tick(lease)
write_meta()
return { epoch, wait }
