-- Registers an incarnation. Sent again, it changes nothing.
-- KEYS  the fixed keys
-- ARGV  incarnation, lease in ms, fields of the member (msgpack: name, value, ...)
-- Returns  {epoch of the store, ms until the next due thing}
local inc, lease = ARGV[1], tonumber(ARGV[2])
if not meta[1] then
  epoch = inc
  call('HSET', META, 'protocol', 1, 'epoch', epoch, 'created', now)
end
-- A long value keeps a hash from being packed into a list, which is searched from its start while it is short.
for _, key in ipairs({ JOBS, OWNER, RESULTS }) do
  call('HSETNX', key, '', string.rep('-', 65))
end
call('HSET', key_of('member', inc), 'joined', now, 'lease', lease, unpack(cmsgpack.unpack(ARGV[3])))
call('HSETNX', key_of('member', inc), 'add', cmsgpack.pack({ 0, false }))
call('SADD', MEMBERS, inc)
call('ZADD', DUE, now + lease, 'L:' .. inc)
return { epoch, tick(lease) }
