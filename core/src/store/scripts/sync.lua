-- One round of a member: renews its lease, ends jobs, takes new ones, does what is due.
-- KEYS  the fixed keys
-- ARGV  incarnation, batch number (0 = carries nothing that needs one), lease in ms, smallest inbox id to keep ('' = all),
--       credit to add ('' = none, '-' = drop it all), ended jobs (msgpack {ids, owners, details, resources}, or ''), room to add in each range
--       of priorities (msgpack, empty if it has none, '' if the member is plain), progress (msgpack {id, owner, value, ...}, or ''),
--       tasks it takes from now on (msgpack, or ''; its credit is dropped with them), number of the last batch that was answered (0 = none)
--       details belong to the last of the ids: {'c', ttl, requester, outcome} complete with a result,
--       {'f', reason, text, traceback} fail, {'r'} release, {'s'} stopped; ids without details are completed without a result, those before the ones
--       with details have the resources and nothing else to see to. An upper-case letter
--       says that the job has extras: {'C', ttl or -1, requester, outcome, resource, key of similar jobs, member whose ephemeral job it is, 1 if it has
--       timeouts, 1 if it is a suspect}, {'T', pause in ms, text, traceback} fail this attempt
-- Returns  {0, jobs, rejected, ms until the next due thing, returned, taken, credit, ms to spread over}: jobs = false | msgpack {fence of the
--       first, id, record, ...} | list of such; rejected = false | msgpack of positions of jobs that were not the member's any more, 0 -
--       position if deleted; returned = credit taken back because jobs wait that this call could not move; taken = jobs that this batch
--       was given; credit = what is left of it, or -1 if this call did not look | {1} if the member is unknown | {2} an old batch
local inc, number, lease = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
if type(last_batch) ~= 'table' or type(last_batch[1]) ~= 'number' or type(last_batch[3]) ~= 'number' or type(last_batch[5]) ~= 'number' then
  last_batch = nil
end
-- A batch that comes late, after its successors, renews no lease either: who sent it may be dead.
if last_batch and number > 0 and number < last_batch[1] then
  return { 2 }
end
-- Unchanged is not unknown: two rounds in one millisecond set the same score.
if call('ZADD', DUE, 'XX', 'CH', now + lease, 'L:' .. inc) == 0 and not call('ZSCORE', DUE, 'L:' .. inc) then
  return { 1 }
end
-- Batches that were answered are unknown here: this server was set back, to an older disk or replica, and the member's view of what
-- it holds is of another past. It begins anew, and what it holds here runs again.
if (tonumber(ARGV[10]) or 0) > (last_batch and last_batch[1] or 0) then
  local _, remove_member = rarely()
  remove_member(inc, false)
  send_told()
  write_meta()
  return { 1 }
end
if ARGV[4] ~= '' then
  call('XTRIM', key_of('inbox', inc), 'MINID', ARGV[4])
end
-- Every answer ends with what is due.
local function answer(jobs, rejected, returned, taken, credit)
  -- Whatever fails from here on, this was done.
  answered = { 0, jobs, rejected, 0, returned, taken, credit, 100 }
  answered[4], answered[8] = tick(lease)
  write_meta()
  return answered
end

if ARGV[8] ~= '' then
  extras().progress(cmsgpack.unpack(ARGV[8]))
end

local active = key_of('active', inc)
-- The member does not take just any job without a task.
local choosy = ARGV[7] ~= ''
if choosy and ARGV[9] == '' and extras().member(inc).damaged then
  -- It registers anew, and is written anew.
  count('damaged', 1)
  call('ZADD', DUE, now, 'L:' .. inc)
  write_meta()
  return { 1 }
end
-- Jobs may wait beside this member because it had not been heard of for long. They come through its inbox.
local function take_waiting()
  if special or call('EXISTS', READY) == 1 then
    local member = extras().member(inc)
    local score = tonumber(extras().score(inc, member))
    if score then
      local credit = credit_of(score)
      local ids, records = extras().take(member, credit)
      if #ids > 0 then
        hand(inc, ids, records, 1, #ids)
        extras().set_load(inc, member, active_of(score) + #ids, credit - #ids)
      end
    end
  end
end

if number == 0 then
  take_waiting()
  return answer(false, false, 0, 0, -1)
end

if ARGV[9] ~= '' then
  extras().retask(inc, ARGV[9])
end
if last_batch and number == last_batch[1] then
  -- Sent again because its reply was lost: the jobs it was given, if they are still its.
  local first, taken = tonumber(last_batch[2]) or 0, last_batch[3]
  local again = {}
  if taken > 0 then
    local noted = unpacked(call('GET', key_of('given', inc)) or '')
    local ids = type(noted) == 'table' and noted[1] == number and noted[2] or call('SMEMBERS', active)
    for from = 1, #ids, 1000 do
      local to = math.min(#ids, from + 999)
      local owners = call('HMGET', OWNER, unpack(ids, from, to))
      for i = from, to do
        local fence, owner, deleting = read_owner(owners[i - from + 1])
        if owner == inc and deleting == '' and fence >= first and fence < first + taken then
          local record = call('HGET', JOBS, ids[i])
          if record then
            again[#again + 1] = cmsgpack.pack({ fence, ids[i], record })
          end
        end
      end
    end
  end
  local score
  if choosy then
    score = extras().score(inc, extras().member(inc))
  else
    score = call('ZSCORE', LOAD, inc)
  end
  -- After the credit was read, because these come after the jobs of this answer.
  take_waiting()
  return answer(again, last_batch[4], last_batch[5], taken, score and credit_of(tonumber(score)) or 0)
end

local rejected = {}
-- Jobs completed without a result, all still the member's: removed only when new ones have come, so that the hashes do not
-- shrink and grow with each round.
local completed_plainly
-- Ends jobs in all the ways there are.
local function end_jobs(ids, wanted, details, resources, owners)
  local plain = #ids - #details
  local without_resource = plain - #resources
  local gone, completed = ids, {}
  local back, results, stopped = {}, { {}, {}, {}, {} }, {}
  -- Jobs with extras that are completed; those whose record has to be looked at.
  local special_ids, special_details, careful, careful_ids = {}, {}, {}, {}
  local mixed = false
  for i = 1, #ids do
    local detail = i > plain and details[i - plain] or nil
    local kind = detail and detail[1] or 'c'
    local plain_kind = string.lower(kind)
    local resource = not detail and resources[i - without_resource]
    local how
    if owners[i] == wanted[i] and plain_kind ~= 's' then
      how = plain_kind
      if kind == 'c' then
        completed[#completed + 1] = ids[i]
        if detail then
          local n = #results[1] + 1
          results[1][n], results[2][n], results[3][n], results[4][n] = ids[i], detail[4], detail[2], detail[3]
        elseif resource then
          extras().free(resource, ids[i])
        end
      end
    elseif owners[i] == wanted[i] .. ':d' then
      how = 's'
      stopped[#stopped + 1] = ids[i]
      if plain_kind ~= 's' then
        rejected[#rejected + 1] = -i
      end
    else
      rejected[#rejected + 1] = i
      mixed = true
    end
    if how == 'r' then
      back[#back + 1] = ids[i]
    end
    if how == 'c' and kind == 'C' then
      special_ids[#special_ids + 1] = ids[i]
      special_details[#special_details + 1] = detail
    elseif how and (kind ~= plain_kind or kind == 'f' or how == 's' and resource) then
      careful[#careful + 1] = { id = ids[i], how = how, detail = detail }
      careful_ids[#careful_ids + 1] = ids[i]
    end
  end
  if mixed then
    local keep = {}
    for _, position in ipairs(rejected) do
      keep[position] = true
    end
    gone = {}
    for i = 1, #ids do
      if not keep[i] then
        gone[#gone + 1] = ids[i]
      end
    end
  end
  if #gone > 0 then
    call('HDEL', OWNER, unpack(gone))
    call('SREM', active, unpack(gone))
  end
  if #completed > 0 then
    call('HDEL', JOBS, unpack(completed))
    count('completed', #completed)
    keep_results(results[1], results[2], results[3], results[4])
  end
  if #stopped > 0 then
    count('deleting', -#stopped)
  end
  local front = #back + #stopped > 0 and call('HGET', key_of('member', inc), 'requeue') ~= 'back'
  if #special_ids > 0 then
    extras().completed(special_ids, special_details)
  end
  if #careful > 0 then
    local records = call('HMGET', JOBS, unpack(careful_ids))
    for i, job in ipairs(careful) do
      local record, detail = records[i], job.detail
      if job.how == 's' then
        extras().stopped(job.id)
      elseif not record then
        -- Altered by hand: there is nothing to end.
      elseif detail[1] == 'f' then
        extras().fail(job.id, record, detail[2], detail[3], false, detail[4])
      else
        local extra = extras().of(record)
        if job.how == 't' then
          extras().retry(job.id, record, extra, detail[2], detail[3], detail[4])
        elseif job.how == 'f' then
          extras().forget_progress({ job.id })
          extras().fail(job.id, record, detail[2], detail[3], false, detail[4])
        else
          extras().left(job.id, extra, front)
        end
      end
    end
  end
  for which, list in ipairs({ back, stopped }) do
    if #list > 0 then
      local again, again_records = {}, {}
      for i, record in ipairs(call('HMGET', JOBS, unpack(list))) do
        if record then
          again[#again + 1] = list[i]
          again_records[#again_records + 1] = record
        end
      end
      if which == 2 and #again > 0 then
        again, again_records = extras().not_waiting(again, again_records)
      end
      enqueue(again, again_records, which == 1 and front)
    end
  end
end

if ARGV[6] ~= '' then
  local done = cmsgpack.unpack(ARGV[6])
  local ids, wanted, details, resources = done[1], done[2], done[3], done[4]
  local owners = call('HMGET', OWNER, unpack(ids))
  local plainly = #details == 0
  for i = 1, #ids do
    if owners[i] ~= wanted[i] then
      plainly = false
      break
    end
  end
  if plainly then
    completed_plainly = ids
    count('completed', #ids)
    if #resources > 0 then
      extras().free_all(resources)
    end
  else
    end_jobs(ids, wanted, details, resources, owners)
  end
end
-- Jobs whose turn it is now, because others ended, come before those that wait.
local ids, records = {}, {}
if before_writing then
  ids, records = extras().pass_on(not (choosy or special) and inc, tonumber(ARGV[5]) or 0, completed_plainly and #completed_plainly or 0)
end
-- Waiting jobs for the slots that are free, and credit for those that stay so. Read only now: what ended may have gone to this member.
local member = choosy and extras().member(inc)
local score
if member then
  score = extras().score(inc, member)
else
  score = call('ZSCORE', LOAD, inc)
end
local before = score and credit_of(tonumber(score)) or 0
local credit = before
if ARGV[5] == '-' then
  credit = 0
elseif ARGV[5] ~= '' then
  credit = credit + tonumber(ARGV[5])
end
if member and member.ranges then
  extras().grant(member, cmsgpack.unpack(ARGV[7]), ARGV[5] == '-')
end
local taken, jobs, fence, returned = 0, false, 0, 0
local byte = string.byte
if credit > 0 then
  local popped, empty = 0, false
  if member or special then
    local left
    ids, records, left = extras().take(member or { tasks = { '' } }, credit)
    empty = not left
  else
    local want = math.min(credit, move_limit)
    while #ids < want and popped < 2000 and not empty do
      local asked = want - #ids
      local some = call('LPOP', READY, asked) or {}
      popped = popped + #some
      empty = #some < asked
      if #some > 0 then
        in_hand[1] = some
        local found = call('HMGET', JOBS, unpack(some))
        local all, extra = tombstones == 0, false
        for i = 1, #found do
          local record = found[i]
          if not record then
            all = false
          elseif (byte(record) or 0) >= 16 then
            extra = true
          end
        end
        if not all then
          some, found = extras().living(some, found)
        end
        if extra then
          some, found = extras().admit(some, found)
        end
        if #ids == 0 then
          -- The common case, without copying.
          ids, records = some, found
        else
          for i, record in ipairs(found) do
            ids[#ids + 1] = some[i]
            records[#records + 1] = record
          end
        end
      end
    end
  end
  taken = #ids
  if taken > 0 then
    fence = new_fences(taken)
    own(inc, ids, 1, taken, fence)
    local list = { fence }
    local n = 1
    for i = 1, taken do
      list[n + 1] = ids[i]
      list[n + 2] = records[i]
      n = n + 2
    end
    jobs = cmsgpack.pack(list)
    credit = credit - taken
    if call('SCARD', active) > 5000 then
      -- Should the reply be lost, they are not to be looked for among all that it holds.
      call('SET', key_of('given', inc), cmsgpack.pack({ number, ids }))
    end
  end
  if empty and tombstones > 0 and call('EXISTS', READY) == 0 then
    extras().forget_tombstones()
  end
  if credit > 0 and not empty and (member or special or call('EXISTS', READY) == 1) then
    returned = credit
    credit = 0
  end
end
if completed_plainly then
  call('HDEL', OWNER, unpack(completed_plainly))
  call('SREM', active, unpack(completed_plainly))
  call('HDEL', JOBS, unpack(completed_plainly))
end
if member then
  extras().set_load(inc, member, call('SCARD', active), credit)
elseif credit > 0 then
  call('ZADD', LOAD, score_of(call('SCARD', active), credit), inc)
elseif before > 0 then
  call('ZREM', LOAD, inc)
end

rejected = #rejected > 0 and cmsgpack.pack(rejected)
remember(BATCH .. inc, cmsgpack.pack({ number, fence, taken, rejected, returned }))
return answer(jobs, rejected, returned, taken, credit)
