-- Answers results that are there and registers the member for those to come.
-- KEYS  the fixed keys
-- ARGV  incarnation, ids (msgpack)
-- Returns  for each id: its outcome | 'w' registered | 'n' no such job or result | 'x' the job keeps no result
local inc = ARGV[1]
local ids = cmsgpack.unpack(ARGV[2])
local results = call('HMGET', RESULTS, unpack(ids))
local answers = {}
for i, id in ipairs(ids) do
  local record = not results[i] and call('HGET', JOBS, id)
  if results[i] then
    answers[i] = results[i]
  elseif not record then
    answers[i] = 'n'
  elseif not result_of(record) then
    answers[i] = 'x'
  else
    local waiters = call('HGET', WAITERS, id)
    if not waiters then
      call('HSET', WAITERS, id, inc)
    elseif not string.find(',' .. waiters .. ',', ',' .. inc .. ',', 1, true) then
      call('HSET', WAITERS, id, waiters .. ',' .. inc)
    end
    answers[i] = 'w'
  end
end
return answers
