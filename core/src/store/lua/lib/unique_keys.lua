-- Unique keys: which job has each, and the jobs that wait for it. A job has its key from when it is added until it ends, starts, or a time has passed,
-- as `unique_until` of its record states; but at least as long as jobs wait for it.
local blocking = require('blocking')
local clock = require('clock')
local due_entries = require('due_entries')
local event_kinds = require('event_kinds')
local extras = require('extras')
local keys = require('keys')
local meta = require('meta')
local owner = require('owner')
local rare_keys = require('rare_keys')
local record = require('record')
local results = require('results')
local script = require('script')
local edges = lazy('edges')
local endings = lazy('endings')
local events = lazy('events')
local history = lazy('history')
local matching = lazy('matching')
local metrics = lazy('metrics')
local queue_heads = lazy('queue_heads')
local call = redis.call

local unique_keys = {
  -- The score of the one job that runs once more after the active one: behind all that finish with the active one.
  LAST = 9e15,
  -- Stands before the id of a job that is completed and keeps its key for a time.
  GONE = '\1',
  -- Set by conflicts.lua: whether a job that is being added has its key (false) or waits for it (true).
  waits = {},
}

-- The limit of jobs that finish in one call because the job they are attached to did, and how many are read at once.
local followers_left, FOLLOWERS_AT_ONCE = 1000, 100

-- The entry of `due` for the time of a key.
function unique_keys.entry_of(key)
  return due_entries.UNIQUE .. key
end

-- Whether the key is kept until a time that has not come.
function unique_keys.is_kept(key)
  return (tonumber(call('ZSCORE', keys.due, unique_keys.entry_of(key)) or nil) or 0) > clock.now
end

-- Lets the job have the key, whoever had it.
function unique_keys.hold(key, id, extra)
  call('HSET', rare_keys.unique, key, id)
  if extra.unique_until and extra.unique_until > 0 then
    call('ZADD', keys.due, clock.now + extra.unique_until, unique_keys.entry_of(key))
  else
    call('ZREM', keys.due, unique_keys.entry_of(key))
  end
end

-- Nobody waits for the key. `kept`: the id of the completed job that keeps it for the rest of its time. Another job with this id may be added
-- meanwhile, which has nothing to do with the key.
local function free(key, kept)
  if kept and unique_keys.is_kept(key) then
    call('HSET', rare_keys.unique, key, unique_keys.GONE .. kept)
    return
  end
  call('HDEL', rare_keys.unique, key)
  call('ZREM', keys.due, unique_keys.entry_of(key))
end

local function note_attached(ids, records, outcome)
  local reason, text = string.match(outcome, '^f([^\n]*)\n(.*)$')
  for i, id in ipairs(ids) do
    events().note_job(reason and event_kinds.FAILED or event_kinds.COMPLETED, id, records[i], '', reason, text)
  end
end

-- Keeps attached jobs that were completed, if they are to be kept.
local function note_completed(ids, records, outcome)
  if string.sub(outcome, 1, 1) == 'f' then
    return
  end
  local jobs = {}
  for i, id in ipairs(ids) do
    jobs[i] = { id = id, record = records[i], outcome = outcome, owner = '' }
  end
  history().note(jobs)
end

-- Finishes attached jobs with the outcome of the one that had the key.
local function end_attached(ids, records, outcome)
  local kept, outcomes, ttls, requesters = {}, {}, {}, {}
  for i, id in ipairs(ids) do
    local ttl, requester = record.result_of(records[i])
    if ttl then
      local n = #kept + 1
      kept[n], outcomes[n], ttls[n], requesters[n] = id, outcome, ttl, requester
    end
  end
  call('HDEL', keys.jobs, unpack(ids))
  note_completed(ids, records, outcome)
  local failed = string.sub(outcome, 1, 1) == 'f'
  meta.count(failed and 'failures' or 'completed', #ids)
  results.keep(kept, outcomes, ttls, requesters)
  if clock.recording then
    note_attached(ids, records, outcome)
  end
  for i, id in ipairs(ids) do
    local extra = extras.of(records[i])
    metrics().count(failed and metrics().FAILED or metrics().COMPLETED, extra.task)
    endings().detach(id, extra, false)
    if extra.node then
      edges().ended(id, extra, outcome)
    end
  end
end

-- The first of the waiting jobs gets the key and is queued; if it has an owner, when that has stopped.
local function promote(key, id, found)
  unique_keys.hold(key, id, extras.of(found))
  if clock.recording then
    events().note_job(event_kinds.WAITING, id, found)
  end
  if call('HEXISTS', keys.owner, id) == 0 then
    matching().enqueue({ id }, { found }, false)
  end
end

-- Removes the first `most` of the jobs that wait for a key. Returns ids, records and scores of those that exist, or nil if none waits.
local function pop(key, most)
  local scored = call('ZPOPMIN', keys.of(blocking.UNIQUE, key), most)
  if #scored == 0 then
    return nil
  end
  local ids, there, records, scores = queue_heads().members_of(scored), {}, {}, {}
  script.in_hand[#script.in_hand + 1] = ids
  call('SREM', rare_keys.blocked, unpack(ids))
  for i, found in ipairs(call('HMGET', keys.jobs, unpack(ids))) do
    if found then
      local n = #there + 1
      there[n], records[n], scores[n] = ids[i], found, scored[2 * i]
    end
  end
  return there, records, scores
end

-- Blocks jobs again, from the `from`th on.
local function put_back(key, ids, scores, from)
  local scored = {}
  for i = from, #ids do
    scored[#scored + 1], scored[#scored + 2] = scores[i], ids[i]
  end
  if #scored > 0 then
    call('ZADD', keys.of(blocking.UNIQUE, key), unpack(scored))
    call('SADD', rare_keys.blocked, unpack(ids, from))
  end
end

-- The job that had the key is gone. Attached jobs finish with its outcome; the first other job gets the key and runs. If there is no outcome, or too
-- many have finished in this call, the first job of all does. If none waits, the key is free.
local function settle(key, outcome, kept)
  while true do
    local ends = outcome and followers_left > 0
    local ids, records, scores = pop(key, ends and FOLLOWERS_AT_ONCE or 1)
    if not ids then
      return free(key, kept)
    end
    followers_left = followers_left - #ids
    local attached = 0
    while ends and attached < #ids and extras.of(records[attached + 1]).on_conflict == extras.ATTACH do
      attached = attached + 1
    end
    if attached > 0 then
      end_attached({ unpack(ids, 1, attached) }, records, outcome)
    end
    if attached < #ids then
      put_back(key, ids, scores, attached + 2)
      return promote(key, ids[attached + 1], records[attached + 1])
    end
  end
end

-- The job has ended. `outcome`: nil if it was deleted. A failed or deleted job does not keep its key for a time.
function unique_keys.ended(id, extra, outcome)
  if call('HGET', rare_keys.unique, extra.unique) == id then
    local completed = outcome and string.sub(outcome, 1, 1) ~= 'f'
    settle(extra.unique, outcome, completed and (extra.unique_until or 0) > 0 and id)
  end
end

-- Frees the keys of jobs that have them until they start, unless jobs wait for one. Keys and ids are parallel.
function unique_keys.started(names, ids)
  local freed = {}
  for i, holder in ipairs(call('HMGET', rare_keys.unique, unpack(names))) do
    if holder == ids[i] and call('EXISTS', keys.of(blocking.UNIQUE, names[i])) == 0 then
      freed[#freed + 1] = names[i]
    end
  end
  if #freed > 0 then
    call('HDEL', rare_keys.unique, unpack(freed))
  end
end

-- The time of a key is over. If jobs wait for it, it stays with its job until that ends.
function unique_keys.expire(key)
  call('ZREM', keys.due, unique_keys.entry_of(key))
  local holder = call('HGET', rare_keys.unique, key)
  local found = holder and call('HGET', keys.jobs, holder)
  if not holder or found and (extras.of(found).unique_until or 0) <= 0 then
    return
  elseif not found then
    settle(key)
  elseif call('EXISTS', keys.of(blocking.UNIQUE, key)) == 0 then
    call('HDEL', rare_keys.unique, key)
  end
end

-- Starts a job with a key that is added, or tried again. Returns whether it must wait for the key.
function unique_keys.begin(id, extra)
  local waits = unique_keys.waits[id]
  if waits ~= nil then
    unique_keys.waits[id] = nil
    return waits
  end
  local holder = call('HGET', rare_keys.unique, extra.unique)
  if holder and holder ~= id and call('HEXISTS', keys.jobs, holder) == 1 then
    blocking.block(blocking.UNIQUE, extra.unique, { id })
    return true
  end
  unique_keys.hold(extra.unique, id, extra)
  return false
end

-- Whether the start or the time until which a job has its key is over: it kept the key for jobs that waited, and these are gone.
local function is_over(key, holder, extra)
  if extra.unique_until == extras.UNTIL_END or call('EXISTS', keys.of(blocking.UNIQUE, key)) == 1 then
    return false
  elseif extra.unique_until == extras.UNTIL_START then
    local held = call('HGET', keys.owner, holder)
    return held and not owner.is_deleting(held)
  end
  return not call('ZSCORE', keys.due, unique_keys.entry_of(key))
end

-- For the sweep: frees keys whose job is gone, or does not have them any more. Returns how many were damaged.
function unique_keys.mend(names)
  local damaged = 0
  local bound = clock.now + extras.LONGEST_UNIQUE
  for i, holder in ipairs(call('HMGET', rare_keys.unique, unpack(names))) do
    local key = names[i]
    local time = tonumber(call('ZSCORE', keys.due, unique_keys.entry_of(key)) or nil)
    local found = holder and call('HGET', keys.jobs, holder)
    if time and time > bound then
      call('ZREM', keys.due, unique_keys.entry_of(key))
      time = nil
    end
    local extra = found and extras.of(found)
    if holder and (extra and extra.unique ~= key or not found and not time) then
      damaged = damaged + 1
      settle(key)
    elseif extra and is_over(key, holder, extra) then
      call('HDEL', rare_keys.unique, key)
    end
  end
  return damaged
end

-- For the sweep: jobs that must have their keys until they end get those that nobody has. Returns how many.
function unique_keys.take_free(ids, records)
  local names, owners = {}, {}
  for i, id in ipairs(ids) do
    local extra = records[i] and record.has_extras(records[i]) and extras.of(records[i])
    if extra and extra.unique and extra.unique_until == extras.UNTIL_END then
      names[#names + 1], owners[#owners + 1] = extra.unique, id
    end
  end
  local taken = 0
  for i, holder in ipairs(#names > 0 and call('HMGET', rare_keys.unique, unpack(names)) or {}) do
    if not holder then
      taken = taken + call('HSETNX', rare_keys.unique, names[i], owners[i])
    end
  end
  return taken
end

return unique_keys
