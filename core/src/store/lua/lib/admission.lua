-- Admits jobs that are about to be assigned: asks their limits, claims their resources and starts their timeouts. Jobs that a limit refuses or whose
-- resource is not free are blocked.
local blocking = require('blocking')
local clock = require('clock')
local due_entries = require('due_entries')
local extras = require('extras')
local keys = require('keys')
local rare_keys = require('rare_keys')
local record = require('record')
local record_flags = require('record_flags')
local suspects = require('suspects')
local events = lazy('events')
local limit_lines = lazy('limit_lines')
local limit_state = lazy('limit_state')
local resources = lazy('resources')
local unique_keys = lazy('unique_keys')
local call = redis.call
local admission = {}

local function note_limits(needs, extra)
  for _, limit in ipairs(extra and extra.limits or {}) do
    if not needs.limits[limit.name] then
      needs.limits[limit.name] = true
      needs.limits[#needs.limits + 1] = limit.name
    end
  end
end

-- The needs of each job: its limits, its resource and, if it is a suspect, that of suspects. Nil if no job needs special care.
local function needs_of(records)
  local needs = { resource = {}, extra = {}, suspect = {}, wanted = {}, limits = {} }
  local seen, careful = {}, false
  local function want(name)
    if not seen[name] then
      seen[name] = true
      needs.wanted[#needs.wanted + 1] = name
    end
  end
  for i = 1, #records do
    local text = records[i]
    local flags = record.flags(text) % record_flags.TIMED
    if flags >= record_flags.CAREFUL then
      careful = true
      local name
      if bit.band(flags, extras.NEEDS_DECODING) == 0 then
        name = extras.resource_of(text)
      else
        local extra = extras.of(text)
        needs.extra[i], name = extra, extra.resource
        if extra.suspect then
          needs.suspect[i] = true
          want(suspects.RESOURCE)
        end
      end
      if name then
        needs.resource[i] = name
        want(name)
      end
      note_limits(needs, needs.extra[i])
    end
  end
  return careful and needs or nil
end

-- Resources and the jobs that own them; `claim` claims one for a job, or records that the job is blocked for it.
local function claims_of(wanted)
  local claims = { holders = {}, new = {}, blocked = {} }
  for i, holder in ipairs(#wanted > 0 and call('HMGET', rare_keys.resources, unpack(wanted)) or {}) do
    claims.holders[wanted[i]] = holder
  end
  return claims
end

local function claim(claims, name, id)
  local holder = claims.holders[name]
  if holder and holder ~= id then
    local list = claims.blocked[name] or {}
    claims.blocked[name] = list
    list[#list + 1] = id
    return false
  end
  if not holder then
    claims.holders[name] = id
    claims.new[#claims.new + 1] = name
    claims.new[#claims.new + 1] = id
  end
  return true
end

local function note_timeouts(extra, id, started, stopped)
  if extra.suspect then
    started[#started + 1] = clock.now + suspects.TRIAL
    started[#started + 1] = due_entries.TRIAL .. id
  end
  if extra.run_timeout then
    started[#started + 1] = clock.now + extra.run_timeout
    started[#started + 1] = due_entries.RUN_TIMEOUT .. id
  end
  if extra.assign_timeout then
    stopped[#stopped + 1] = due_entries.ASSIGN_TIMEOUT .. id
  end
end

-- Asks the limits of jobs.
local function new_limiter(names)
  if #names == 0 then
    return nil
  end
  limit_lines().write_freed()
  return { states = limit_state().load(names), refused = {} }
end

-- Whether no limit refuses the job. One that is refused gives up the resource that was passed to it.
local function is_allowed(limiter, claims, id, text, extra)
  local name = limit_lines().refusing(limiter.states, id, extra.limits)
  if not name then
    return true
  end
  if extra.resource and claims.holders[extra.resource] == id then
    resources().free(extra.resource, id)
  end
  local list = limiter.refused[name] or {}
  limiter.refused[name] = list
  list[#list + 1] = { id = id, wanted = extra.limits, crashed = extras.crashes_of(text) > 0 }
  return false
end

local function write_limits(limiter)
  limit_state().write(limiter.states)
  for name, jobs in pairs(limiter.refused) do
    limit_lines().block(limiter.states, name, jobs)
  end
end

-- A unique key that a job has only until it starts.
local function note_key(extra, id, freed)
  if extra.unique_until == extras.UNTIL_START then
    freed.names[#freed.names + 1], freed.ids[#freed.ids + 1] = extra.unique, id
  end
end

local function write(claims, started, stopped)
  if #claims.new > 0 then
    call('HSET', rare_keys.resources, unpack(claims.new))
  end
  if #started > 0 then
    call('ZADD', keys.due, unpack(started))
  end
  if #stopped > 0 then
    call('ZREM', keys.due, unpack(stopped))
  end
  for name, list in pairs(claims.blocked) do
    blocking.block(blocking.RESOURCE, name, list)
    for _, id in ipairs(clock.recording and list or {}) do
      events().blocked(events().BY_RESOURCE, name, id)
    end
  end
end

-- Returns the jobs that may be assigned: ids and records.
function admission.admit(ids, records)
  local needs = needs_of(records)
  if not needs then
    return ids, records
  end
  local claims, limiter = claims_of(needs.wanted), new_limiter(needs.limits)
  local admitted, admitted_records, started, stopped, freed = {}, {}, {}, {}, { names = {}, ids = {} }
  for i, id in ipairs(ids) do
    local resource, extra = needs.resource[i], needs.extra[i]
    local limits = extra and extra.limits
    local allowed = not limits or is_allowed(limiter, claims, id, records[i], extra)
    local free = allowed and (not resource or claim(claims, resource, id)) and (not needs.suspect[i] or claim(claims, suspects.RESOURCE, id))
    if allowed and not free and limits then
      limit_lines().leave(limiter.states, id, limits)
    elseif free then
      if extra then
        note_timeouts(extra, id, started, stopped)
        note_key(extra, id, freed)
      end
      if limits then
        limit_lines().start(limiter.states, id, limits)
      end
      admitted[#admitted + 1] = id
      admitted_records[#admitted_records + 1] = records[i]
    end
  end
  write(claims, started, stopped)
  if limiter then
    write_limits(limiter)
  end
  if #freed.ids > 0 then
    unique_keys().started(freed.names, freed.ids)
  end
  return admitted, admitted_records
end

return admission
