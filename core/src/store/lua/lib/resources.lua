-- Resources that were freed, and the next jobs for them. `reply` assigns what is left at the end of a call.
local clock = require('clock')
local event_kinds = require('event_kinds')
local keys = require('keys')
local meta = require('meta')
local rare_keys = require('rare_keys')
local ranking = require('ranking')
local record = require('record')
local script = require('script')
local events = lazy('events')
local extras = lazy('extras')
local matching = lazy('matching')
local call = redis.call
local resources = {}

-- Resources that may be free, with the jobs that had them; and resources that are certainly free.
local freed, freed_by, released = {}, {}, {}

-- Frees the resource of this job, if the job has it.
function resources.free(resource, id)
  freed[#freed + 1] = resource
  freed_by[#freed_by + 1] = id
end

-- As `free`, for jobs that were completed by their owner: an assigned job has its resource.
function resources.free_all(names)
  released = names
end

local function surely_free()
  local names = released
  released = {}
  if #freed > 0 then
    local seen = {}
    for i, holder in ipairs(call('HMGET', rare_keys.resources, unpack(freed))) do
      -- The resource may have passed to another job already, may never have belonged to this job, or may have been freed twice.
      if holder == freed_by[i] and not seen[freed[i]] then
        seen[freed[i]] = true
        names[#names + 1] = freed[i]
      end
    end
    freed, freed_by = {}, {}
  end
  return names
end

-- How many jobs a member accepts at once: while no other member has fewer.
local function limit_of(inc, credit, leaving)
  local limit = math.min(credit, meta.move_limit)
  local ranked = call('ZRANGE', keys.load, 0, 1, 'WITHSCORES')
  local least = ranked[1] ~= inc and ranked[2] or ranked[4]
  if least then
    limit = math.min(limit, ranking.active(tonumber(least)) + 1 - call('SCARD', keys.of('active', inc)) + leaving)
  end
  return limit
end

-- Assigns each resource to the first job that is blocked for it. Returns the ids of these jobs, and their resources.
local function claim_next(names)
  local ids, claimed, claims, idle = {}, {}, {}, {}
  for _, name in ipairs(names) do
    local id = call('ZPOPMIN', keys.of('blocked', name))[1]
    if id then
      local n = #ids + 1
      ids[n], claimed[n], claims[2 * n - 1], claims[2 * n] = id, name, name, id
    else
      idle[#idle + 1] = name
    end
  end
  if #idle > 0 then
    call('HDEL', rare_keys.resources, unpack(idle))
  end
  if #ids > 0 then
    script.in_hand[#script.in_hand + 1] = ids
    call('SREM', rare_keys.blocked, unpack(ids))
    call('HSET', rare_keys.resources, unpack(claims))
  end
  return ids, claimed
end

local function note_waiting(ids, records)
  for i, found in ipairs(records) do
    if found then
      events().note_job(event_kinds.WAITING, ids[i], found)
    end
  end
end

-- Assigns the free resources to the next jobs that are blocked for them, and assigns these jobs. A plain member with credit, whose number of jobs is
-- about to fall by `leaving`, accepts jobs that have no option but a resource while no other member has fewer jobs; these are returned as ids and
-- records.
function resources.pass_on(inc, credit, leaving)
  local taken, taken_records = {}, {}
  local names = surely_free()
  local limit = #names > 0 and inc and credit > 0 and limit_of(inc, credit, leaving) or 0
  while #names > 0 do
    local ids, claimed = claim_next(names)
    local there, records = {}, {}
    local all = #ids > 0 and call('HMGET', keys.jobs, unpack(ids)) or {}
    if clock.recording then
      note_waiting(ids, all)
    end
    for i, found in ipairs(all) do
      if not found then
        -- The job was deleted meanwhile: the next one follows.
        resources.free(claimed[i], ids[i])
      elseif #taken < limit and bit.band(record.flags(found), extras().NEEDS_DECODING) == 0 then
        taken[#taken + 1] = ids[i]
        taken_records[#taken] = found
      else
        there[#there + 1] = ids[i]
        records[#records + 1] = found
      end
    end
    if #there > 0 then
      matching().enqueue(there, records, true)
    end
    names = surely_free()
  end
  return taken, taken_records
end

-- Passes on the resources of jobs that finished in this call before other jobs claim them: a new job with the id of a finished one would be mistaken
-- for it.
function resources.settle()
  resources.pass_on()
end

script.flush.resources = resources.settle

return resources
