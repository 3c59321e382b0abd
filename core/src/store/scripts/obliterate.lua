-- Removes the keys of the cluster, those first that others name.
-- KEYS  the fixed keys
-- Returns  1 if there are more: call again; else 0
local X = extras()
local more = false
for _, inc in ipairs(call('SRANDMEMBER', MEMBERS, 200)) do
  X.unlist(inc)
  for _, task in ipairs(X.member(inc).tasks) do
    call('UNLINK', key_of('load', task))
  end
  X.drop_keys(inc)
  -- Last: after an error it is found again.
  call('SREM', MEMBERS, inc)
end
for _, queue in ipairs(X.queues(0, 500)) do
  call('UNLINK', queue.key)
  X.forget_queue(queue.priority, queue.task)
  more = true
end
for _, task in ipairs(call('SPOP', X.keys.tasks, 500)) do
  call('UNLINK', key_of('load', task), key_of('queues', task))
  more = true
end
for name, part in pairs({ resources = 'blocked', similar = 'similar' }) do
  local scanned = call('HSCAN', X.keys[name], 0, 'COUNT', 500)
  for i = 1, #scanned[2], 2 do
    call('UNLINK', key_of(part, scanned[2][i]))
    call('HDEL', X.keys[name], scanned[2][i])
  end
  more = more or call('EXISTS', X.keys[name]) == 1
end
if more or call('EXISTS', MEMBERS) == 1 then
  return 1
end
for _, key in pairs(X.keys) do
  call('UNLINK', key)
end
call('UNLINK', unpack(KEYS))
return 0
