-- Adds a batch of jobs of any kind; see commands/add.lua.
local clock = require('clock')
local due_entries = require('due_entries')
local keys = require('keys')
local meta = require('meta')
local placement = require('placement')
local positions = require('positions')
local script = require('script')
local beginnings = lazy('beginnings')
local failures = lazy('failures')
local limit_lines = lazy('limit_lines')
local call = redis.call

local DONE, UNKNOWN = 0, 1

local inc, number, largest = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[5])
local own_ids_arg, special_arg = ARGV[4], ARGV[6]

-- The last batch: number, positions of jobs that existed.
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

-- Positions of jobs that exist already, and the positions to skip, with the reason: see positions.lua.
local function check_own_ids(jobs, own)
  local existed, skip, seen = {}, {}, {}
  for _, position in ipairs(own) do
    local id = jobs[2 * position - 1]
    if seen[id] or call('HEXISTS', keys.jobs, id) == 1 then
      existed[#existed + 1] = position
      skip[position] = positions.EXISTED
    elseif clear_id(id) then
      -- The earlier job is deleted, but its worker has not stopped yet: the new one is stored now, and assigned after that.
      skip[position] = positions.LATER
    end
    seen[id] = true
  end
  return existed, skip
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

-- Stores the new jobs. Returns the packed positions of those that existed, or false, and which positions to skip.
local function store(jobs)
  local existed, skip, stored = {}, {}, jobs
  if own_ids_arg ~= '' then
    existed, skip = check_own_ids(jobs, cmsgpack.unpack(own_ids_arg))
    stored = #existed > 0 and new_jobs(jobs, skip) or jobs
  end
  if #stored > 0 then
    call('HSET', keys.jobs, unpack(stored))
    meta.count('added', #stored / 2)
  end
  meta.note_size(largest)
  return #existed > 0 and cmsgpack.pack(existed), skip
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
  local jobs = cmsgpack.unpack(ARGV[3])
  local existed, skip = store(jobs)
  -- The jobs are stored: if the batch is repeated, or something fails later, the reply is that of success.
  meta.remember(BATCH .. inc, cmsgpack.pack({ number, existed }))
  script.answer = { DONE, existed, 0 }
  if special_arg == '' then
    enqueue(jobs, skip)
    return { DONE, existed, -1 }
  end
  local queues_of, careful = unpack(cmsgpack.unpack(special_arg))
  local soonest = beginnings().add(jobs, queues_of, careful, skip, inc)
  if script.flush.limits then
    limit_lines().settle()
    soonest = beginnings().wake_for_limits(soonest)
  end
  return { DONE, existed, soonest and math.max(0, soonest - clock.now) or -1 }
end

return add
