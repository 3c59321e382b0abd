-- Runs failed jobs again, the oldest first, or forgets them.
-- KEYS  the fixed keys
-- ARGV  'retry' or 'delete', ids (msgpack, or '' for all)
-- Returns  {how many, 1 if there may be more: call again; else 0}
local ids = ARGV[2] ~= '' and cmsgpack.unpack(ARGV[2]) or call('ZRANGE', FAILED_AT, 0, 199)
local entries = #ids > 0 and call('HMGET', FAILED, unpack(ids)) or {}
local found, records, bytes = {}, {}, 0
for i, id in ipairs(ids) do
  -- Bounded by bytes too; the rest is left for the next call.
  if entries[i] and bytes < 4194304 then
    local record = cmsgpack.unpack(entries[i])[5]
    bytes = bytes + #record
    if deaths_of(record) > 0 then
      record = with_deaths(record, 0)
    end
    if has_extras(record) then
      local extra = extras().of(record)
      record = extra.at and extras().with_failed(record, extra, 0) or record
    end
    found[#found + 1], records[#records + 1] = id, record
  end
end
if #found > 0 then
  call('HDEL', FAILED, unpack(found))
  call('ZREM', FAILED_AT, unpack(found))
  if ARGV[1] == 'retry' then
    local stored = {}
    for i, id in ipairs(found) do
      stored[2 * i - 1], stored[2 * i] = id, records[i]
      call('ZREM', DUE, 'R:' .. id)
    end
    call('HDEL', RESULTS, unpack(found))
    call('HSET', JOBS, unpack(stored))
    call('HINCRBY', META, 'revived', #found)
    extras().revive(found, records)
  end
end
send_told()
write_meta()
return { #found, (ARGV[2] == '' and #ids == 200 or bytes >= 4194304) and 1 or 0 }
