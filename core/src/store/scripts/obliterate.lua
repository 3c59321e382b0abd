-- Removes every key of the cluster.
-- KEYS  the fixed keys
-- Returns  nothing
for _, inc in ipairs(call('SMEMBERS', MEMBERS)) do
  call('UNLINK', key_of('member', inc), key_of('held', inc), key_of('inbox', inc))
end
call('UNLINK', unpack(KEYS))
