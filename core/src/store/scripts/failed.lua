-- Runs failed jobs again, the oldest first, or forgets them.
-- KEYS  the fixed keys
-- ARGV  'retry' or 'delete', ids (msgpack, or '' for all that had failed at the first call), for all: the bound of an earlier answer, or '' at the first call
-- Returns  {how many, 1 if there may be more: call again with the bound; else 0, bound}
local ids
-- What fails again meanwhile has a later time.
local bound = ARGV[3]
if ARGV[2] ~= '' then
  ids = cmsgpack.unpack(ARGV[2])
else
  if bound == '' then
    bound = call('ZRANGE', FAILED_AT, '+inf', '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, 1, 'WITHSCORES')[2] or '-inf'
  end
  ids = call('ZRANGE', FAILED_AT, '-inf', bound, 'BYSCORE', 'LIMIT', 0, 200)
end
local found, records, bytes, seen, stray = {}, {}, 0, {}, {}
for _, id in ipairs(ids) do
  local size = call('HSTRLEN', FAILED, id)
  if size == 0 then
    stray[#stray + 1] = id
  -- Bounded by bytes too; the rest is left for the next call.
  elseif not seen[id] and bytes < 4194304 then
    seen[id] = true
    bytes = bytes + size
    found[#found + 1] = id
  end
end
for i, entry in ipairs(ARGV[1] == 'retry' and #found > 0 and call('HMGET', FAILED, unpack(found)) or {}) do
  entry = unpacked(entry)
  local record = type(entry) == 'table' and type(entry[5]) == 'string' and entry[5] or ''
  if extras().crashes_of(record) > 0 then
    record = extras().with_crashes(record, 0)
  end
  if has_extras(record) then
    record = extras().with_failed(record, extras().of(record), 0)
  end
  records[i] = record
end
if #stray > 0 then
  call('ZREM', FAILED_AT, unpack(stray))
end
if #found > 0 then
  extras().drop_failed(found)
  if ARGV[1] == 'retry' then
    local stored = {}
    for i, id in ipairs(found) do
      stored[2 * i - 1], stored[2 * i] = id, records[i]
      call('ZREM', DUE, 'R:' .. id)
    end
    call('HDEL', RESULTS, unpack(found))
    call('HSET', JOBS, unpack(stored))
    count('revived', #found)
    extras().revive(found, records)
  end
end
send_told()
write_meta()
return { #found, (ARGV[2] == '' and #ids == 200 or bytes >= 4194304) and 1 or 0, bound }
