-- Removes every key of the cluster.
-- KEYS  the fixed keys
-- Returns  nothing
local doomed = {}
for _, inc in ipairs(call('SMEMBERS', MEMBERS)) do
  doomed[#doomed + 1] = inc
end
for _, name in ipairs(call('ZRANGE', DUE, 0, -1)) do
  if string.sub(name, 1, 2) == 'M:' then
    doomed[#doomed + 1] = string.sub(name, 3)
  end
end
for _, inc in ipairs(doomed) do
  call('UNLINK', key_of('member', inc), key_of('held', inc), key_of('inbox', inc))
end
call('UNLINK', unpack(KEYS))
