-- Adds a batch of jobs, gives them to members with credit, lets the rest wait.
-- KEYS  the fixed keys
-- ARGV  incarnation, batch number, jobs (msgpack: id, record, ...), positions of callers' own ids (msgpack, or ''),
--       size of the largest record, what is not plain in the batch (msgpack {{priority, task, positions}, ...}, {position, start, ...}, or
--       ''; see X.add in due.lua)
-- Returns  {0, positions of jobs that existed (msgpack) or false, ms until the next due thing if it is of these jobs, or -1} | {1, epoch} if the member is
--       unknown
local number = tonumber(ARGV[2])
if type(last_batch) ~= 'table' or type(last_batch[1]) ~= 'number' then
  return { 1, epoch }
end
if number <= last_batch[1] then
  -- Sent again because its reply was lost.
  return { 0, last_batch[2] or false, 0 }
end
local pairs_in = cmsgpack.unpack(ARGV[3])
local existed = false
local stored = pairs_in
local skip = {}
if ARGV[4] ~= '' then
  local found, seen = {}, {}
  for _, position in ipairs(cmsgpack.unpack(ARGV[4])) do
    local id = pairs_in[2 * position - 1]
    if seen[id] or call('HEXISTS', JOBS, id) == 1 then
      found[#found + 1] = position
      skip[position] = 'existed'
    else
      -- Only what an earlier job of this id can have left behind.
      if call('HEXISTS', OWNER, id) == 1 then
        -- It is deleted, but its worker has not stopped yet: stored now, given when it has.
        skip[position] = 'later'
      end
      if call('ZSCORE', FAILED_AT, id) then
        extras().drop_failed({ id })
      end
      if call('ZREM', DUE, 'R:' .. id) == 1 then
        call('HDEL', RESULTS, id)
      end
    end
    seen[id] = true
  end
  if #found > 0 then
    existed = cmsgpack.pack(found)
    stored = {}
    for i = 1, #pairs_in, 2 do
      if skip[(i + 1) / 2] ~= 'existed' then
        stored[#stored + 1] = pairs_in[i]
        stored[#stored + 1] = pairs_in[i + 1]
      end
    end
  end
end
if #stored > 0 then
  call('HSET', JOBS, unpack(stored))
  count('added', #stored / 2)
end
if tonumber(ARGV[5]) > largest and tonumber(ARGV[5]) > 4096 then
  remember('largest', ARGV[5])
end
-- They are stored: sent again, or with an error in what follows, this batch is answered as done.
remember(BATCH .. ARGV[1], cmsgpack.pack({ number, existed }))
answered = { 0, existed, 0 }
local due = -1
if ARGV[6] == '' then
  local ids, records = {}, {}
  local n = 0
  for i = 1, #pairs_in, 2 do
    if not skip[(i + 1) / 2] then
      n = n + 1
      ids[n] = pairs_in[i]
      records[n] = pairs_in[i + 1]
    end
  end
  enqueue(ids, records, false, true)
else
  local parts = cmsgpack.unpack(ARGV[6])
  local soonest = extras().add(pairs_in, parts[1], parts[2], skip, ARGV[1])
  due = soonest and math.max(0, soonest - now) or -1
  send_told()
end
write_meta()
return { 0, existed, due }
