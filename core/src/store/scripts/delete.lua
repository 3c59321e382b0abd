-- Deletes jobs whatever their state. A held job keeps its worker's slot until the worker says that it stopped.
-- KEYS  the fixed keys
-- ARGV  ids (msgpack)
-- Returns  a list of 1 (it existed) or 0, in the order of the ids
local ids = cmsgpack.unpack(ARGV[1])
local owners = call('HMGET', OWNER, unpack(ids))
local answers, told = {}, {}
local deleted = 0
for i, id in ipairs(ids) do
  local fence, inc = string.match(owners[i] or '', '^(%d+):([^:]+)$')
  local record = call('HGET', JOBS, id)
  answers[i] = record and 1 or 0
  if record then
    call('HDEL', JOBS, id)
    deleted = deleted + 1
    if inc then
      call('HSET', OWNER, id, owners[i] .. ':d')
      count('deleting', 1)
      told[inc] = told[inc] or {}
      table.insert(told[inc], tonumber(fence))
      table.insert(told[inc], id)
    elseif not owners[i] then
      -- Searching a long list would cost more than its entry: it stays as a ghost until it is popped.
      if call('LLEN', READY) <= 4096 then
        call('LREM', READY, 1, id)
      else
        call('SADD', GHOSTS, id)
        ghosts = ghosts + 1
        remember('ghosts', ghosts)
      end
    end
    local _, requester = result_of(record)
    tell_waiting({ id }, { 'd' }, { requester or '' })
  elseif call('ZREM', FAILED_AT, id) == 1 then
    call('HDEL', FAILED, id)
    answers[i] = 1
  end
end
for inc, list in pairs(told) do
  call('XADD', key_of('inbox', inc), '*', 'd', cmsgpack.pack(list))
end
if deleted > 0 then
  count('deleted', deleted)
end
send_told()
write_meta()
return answers
