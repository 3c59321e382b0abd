-- Adds a batch of jobs of any kind; see commands/add.lua.
local clock = require('clock')
local due_entries = require('due_entries')
local keys = require('keys')
local meta = require('meta')
local placement = require('placement')
local positions = require('positions')
local record = require('record')
local script = require('script')
local beginnings = lazy('beginnings')
local conflicts = lazy('conflicts')
local events = lazy('events')
local extras = lazy('extras')
local failures = lazy('failures')
local limit_lines = lazy('limit_lines')
local call = redis.call

local DONE, UNKNOWN = 0, 1

local inc, number, largest = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[5])
local checked_arg, special_arg = ARGV[4], ARGV[6]

-- The last batch: number, the answer about jobs that existed.
local last = meta.last_batch

-- Removes data of an earlier job with this id. Returns whether the id still has an owner.
local function clear_id(id)
  if call('ZSCORE', keys.failed_at, id) then
    failures().forget({ id })
  end
  if call('ZREM', keys.due, due_entries.RESULT .. id) == 1 then
    call('HDEL', keys.results, id)
  end
  return call('HEXISTS', keys.owner, id) == 1
end

local function has_key(text)
  return record.has_extras(text) and extras().of(text).unique
end

-- The starts of jobs by position.
local function starts_of(careful)
  local starts = {}
  for i = 1, #careful, 2 do
    starts[careful[i]] = careful[i + 1]
  end
  return starts
end

-- Checks the ids and unique keys of the jobs at these positions. Returns what is answered, and fills `skip` of the batch.
local function check(batch, checked)
  local existed, seen = {}, {}
  for _, signed in ipairs(checked) do
    local position = math.abs(signed)
    local id, own = batch.jobs[2 * position - 1], signed > 0
    local exists, other, replaced = own and (seen[id] or call('HEXISTS', keys.jobs, id) == 1), nil, nil
    if not exists and has_key(batch.jobs[2 * position]) then
      if not batch.starts then
        batch.starts = starts_of(batch.careful)
        conflicts().read(batch.jobs, checked)
      end
      other, replaced = conflicts().decide(batch, position)
    end
    if exists then
      existed[#existed + 1] = position
      batch.skip[position] = positions.EXISTED
    elseif other then
      existed[#existed + 1], existed[#existed + 2], existed[#existed + 3] = -position, other, replaced and 1 or 0
      batch.skip[position] = replaced and batch.skip[position] or not replaced and positions.EXISTED or nil
    else
      if own and clear_id(id) then
        -- The earlier job is deleted, but its worker has not stopped yet: the new one is stored now, and assigned after that.
        batch.skip[position] = positions.LATER
      end
      seen[id] = true
    end
  end
  return existed
end

local function new_jobs(jobs, skip)
  local new = {}
  for i = 1, #jobs, 2 do
    if skip[(i + 1) / 2] ~= positions.EXISTED then
      new[#new + 1] = jobs[i]
      new[#new + 1] = jobs[i + 1]
    end
  end
  return new
end

-- Stores the new jobs. Returns the packed answer about those that existed, or false.
local function store(batch)
  local existed, stored = {}, batch.jobs
  if checked_arg ~= '' then
    existed = check(batch, cmsgpack.unpack(checked_arg))
    stored = #existed > 0 and new_jobs(batch.jobs, batch.skip) or stored
  end
  if #stored > 0 then
    call('HSET', keys.jobs, unpack(stored))
    meta.count('added', #stored / 2 - batch.replaced)
    if clock.recording then
      events().added(stored, batch.replaced_ids)
    end
  end
  meta.note_size(largest)
  return #existed > 0 and cmsgpack.pack(existed)
end

-- Plain jobs.
local function enqueue(jobs, skip)
  local ids, records, n = {}, {}, 0
  for i = 1, #jobs, 2 do
    if not skip[(i + 1) / 2] then
      n = n + 1
      ids[n], records[n] = jobs[i], jobs[i + 1]
    end
  end
  placement.enqueue(ids, records, false, true)
end

local function add()
  if type(last) ~= 'table' or type(last[1]) ~= 'number' then
    return { UNKNOWN, meta.epoch }
  end
  if number <= last[1] then
    -- The batch is repeated because its reply was lost.
    return { DONE, last[2] or false, 0 }
  end
  local jobs, skip = cmsgpack.unpack(ARGV[3]), {}
  local queues_of, careful = unpack(special_arg ~= '' and cmsgpack.unpack(special_arg) or {})
  local batch = { jobs = jobs, skip = skip, careful = careful, replaced = 0, replaced_ids = {} }
  local existed = store(batch)
  -- The jobs are stored: if the batch is repeated, or something fails later, the reply is that of success.
  meta.remember(BATCH .. inc, cmsgpack.pack({ number, existed }))
  script.answer = { DONE, existed, 0 }
  if special_arg == '' then
    enqueue(jobs, skip)
    return { DONE, existed, -1 }
  end
  if batch.starts then
    conflicts().write()
    for i = 1, #careful, 2 do
      careful[i + 1] = batch.starts[careful[i]]
    end
  end
  local soonest = beginnings().add(jobs, queues_of, careful, skip, inc)
  if script.flush.limits then
    limit_lines().settle()
    soonest = beginnings().wake_for_limits(soonest)
  end
  return { DONE, existed, soonest and math.max(0, soonest - clock.now) or -1 }
end

return add
