-- Finishes the jobs of a round. Details of a job, as the worker packs them; an upper-case kind has extras:
--   {'c', ttl, requester, outcome} complete with a result | {'f', reason, text, traceback} fail | {'r'} release | {'s'} stopped
--   {'C', ttl or -1, requester, outcome, resource, unique key, member whose ephemeral job it is, 1 if it has timeouts, 1 if it is a suspect,
--   schedule that waits for its end, 1 if it has its key for a time, node, flow, names of its limits or nil}
--   {'K', ttl or -1, requester, outcome or ''} complete a job that is kept then, or has a log
--   {'T', pause in ms, text, traceback} fail this attempt | {'L', pause in ms, limit or ''} wait for a limit
local clock = require('clock')
local endings = require('endings')
local event_kinds = require('event_kinds')
local extras = require('extras')
local failures = require('failures')
local keys = require('keys')
local meta = require('meta')
local owner = require('owner')
local placement = require('placement')
local rare_keys = require('rare_keys')
local resources = require('resources')
local results = require('results')
local edges = lazy('edges')
local events = lazy('events')
local history = lazy('history')
local limit_lines = lazy('limit_lines')
local logs = lazy('logs')
local call = redis.call
local round_ends = {}

local COMPLETE, FAIL, ATTEMPT_FAILED, RELEASE, STOPPED = 'c', 'f', 't', 'r', 's'
local COMPLETE_WITH_EXTRAS, COMPLETE_AND_KEEP, LIMITED = 'C', 'k', 'l'
-- Kinds of values that are stored with active jobs; the other one is progress.
local CHECKPOINT, LOG = 'c', 'l'

local function new_batch()
  return {
    -- Positions of jobs that are not assigned to the worker any more; 0 - position if deleted.
    rejected = {},
    is_rejected = {},
    completed = {},
    results = { ids = {}, outcomes = {}, ttls = {}, requesters = {} },
    released = {},
    stopped = {},
    -- Completed jobs with extras, and their details.
    special = {},
    special_details = {},
    -- Jobs whose record has to be read.
    careful = {},
    -- Completed jobs whose record has to be read: they are kept, or have a log, or their worker does not know that others wait for them.
    recorded = {},
  }
end

local function note_completed(batch, id, detail, resource)
  batch.completed[#batch.completed + 1] = id
  if detail then
    local _, ttl, requester, outcome = unpack(detail)
    local kept = batch.results
    local n = #kept.ids + 1
    kept.ids[n], kept.outcomes[n], kept.ttls[n], kept.requesters[n] = id, outcome, ttl, requester
  elseif type(resource) == 'table' then
    limit_lines().free(id, endings.named_limits(resource), true)
  elseif resource then
    resources.free(resource, id)
  end
end

-- How a job finishes: a kind in lower case, or nil if it is not assigned to the worker any more; and whether its worker does not know that others wait
-- for it.
local function way_of(batch, i, kind, held, wanted)
  if held == wanted and kind ~= STOPPED then
    return kind
  elseif held == owner.deleting(wanted) then
    if kind ~= STOPPED then
      batch.rejected[#batch.rejected + 1] = -i
    end
    return STOPPED
  elseif kind ~= STOPPED and held == owner.watched(wanted) then
    return kind, true
  end
  batch.rejected[#batch.rejected + 1] = i
  batch.is_rejected[i] = true
  return nil
end

local function sort_job(batch, i, id, detail, resource, held, wanted)
  local kind = detail and detail[1] or COMPLETE
  local plain_kind = string.lower(kind)
  local kept = plain_kind == COMPLETE_AND_KEEP
  local way, watched = way_of(batch, i, kept and COMPLETE or plain_kind, held, wanted)
  if clock.recording and (way == COMPLETE or way == RELEASE) then
    events().note(way == COMPLETE and event_kinds.COMPLETED or event_kinds.RELEASED, id, '', wanted)
  end
  if way == STOPPED then
    batch.stopped[#batch.stopped + 1] = id
  elseif way == RELEASE then
    batch.released[#batch.released + 1] = id
  end
  if way == COMPLETE and (watched or kept or meta.keeps_completed) then
    batch.recorded[#batch.recorded + 1] = { id = id, detail = detail, owner = wanted }
  elseif way == COMPLETE and kind == COMPLETE then
    note_completed(batch, id, detail, resource)
  elseif way == COMPLETE and kind == COMPLETE_WITH_EXTRAS then
    batch.special[#batch.special + 1] = id
    batch.special_details[#batch.special_details + 1] = detail
  elseif way and (watched or kind ~= plain_kind or kind == FAIL or way == STOPPED and resource) then
    batch.careful[#batch.careful + 1] = { id = id, way = way, detail = detail, owner = wanted }
  end
end

local function remove_owners(inc, ids, batch)
  local gone = ids
  if next(batch.is_rejected) then
    gone = {}
    for i, id in ipairs(ids) do
      if not batch.is_rejected[i] then
        gone[#gone + 1] = id
      end
    end
  end
  if #gone > 0 then
    call('HDEL', keys.owner, unpack(gone))
    call('SREM', keys.of('active', inc), unpack(gone))
  end
end

local function text_of(value)
  return type(value) == 'string' and value ~= '' and value or nil
end

-- Places in the details of a completed job with extras.
local OUTCOME, NODE, FLOW, LIMITS = 4, 12, 13, 14

local function has_only_node(detail)
  local _, _, _, _, resource, unique, ephemeral_of, timeouts, suspect, then_next_of = unpack(detail)
  local others = resource ~= '' or unique ~= '' or ephemeral_of ~= '' or timeouts == 1 or suspect == 1 or then_next_of ~= '' or detail[LIMITS]
  return not others and detail[NODE] ~= ''
end

local function extra_of(detail)
  local _, _, _, _, resource, unique, ephemeral_of, timeouts, suspect, then_next_of, for_a_time, node, flow, limits = unpack(detail)
  return {
    resource = text_of(resource),
    unique = text_of(unique),
    unique_until = for_a_time,
    ephemeral_of = text_of(ephemeral_of),
    then_next_of = text_of(then_next_of),
    node = text_of(node),
    flow = text_of(flow),
    total_timeout = timeouts == 1 or nil,
    suspect = suspect == 1,
    limits = limits and endings.named_limits(limits),
  }
end

-- Completes jobs with extras.
local function complete_special(ids, details)
  call('HDEL', keys.jobs, unpack(ids))
  call('HDEL', rare_keys.progress, unpack(ids))
  meta.count('completed', #ids)
  local kept, outcomes, ttls, requesters = {}, {}, {}, {}
  for i, id in ipairs(ids) do
    local _, ttl, requester, outcome = unpack(details[i])
    if ttl >= 0 then
      local n = #kept + 1
      kept[n], outcomes[n], ttls[n], requesters[n] = id, outcome, ttl, requester
    end
  end
  results.keep(kept, outcomes, ttls, requesters)
  for i, id in ipairs(ids) do
    local detail = details[i]
    if has_only_node(detail) then
      edges().ended(id, { node = detail[NODE], flow = detail[FLOW] }, detail[OUTCOME])
    else
      endings.gone(id, extra_of(detail), detail[OUTCOME], false)
    end
  end
end

-- Completes jobs whose record is read, a limited number at once.
local function complete_recorded(jobs)
  local ids, there, kept, outcomes, ttls, requesters = {}, {}, {}, {}, {}, {}
  for i, job in ipairs(jobs) do
    ids[i] = job.id
  end
  for i, found in ipairs(call('HMGET', keys.jobs, unpack(ids))) do
    local job = jobs[i]
    local _, ttl, requester, outcome = unpack(job.detail or { COMPLETE, -1, '', '' })
    if found then
      job.record, job.outcome = found, outcome
      there[#there + 1] = job
    end
    if found and ttl >= 0 then
      local n = #kept + 1
      kept[n], outcomes[n], ttls[n], requesters[n] = job.id, outcome, ttl, requester
    end
  end
  call('HDEL', keys.jobs, unpack(ids))
  call('HDEL', rare_keys.progress, unpack(ids))
  meta.count('completed', #there)
  results.keep(kept, outcomes, ttls, requesters)
  history().note(there)
  for _, job in ipairs(there) do
    endings.gone(job.id, extras.of(job.record), job.outcome, false)
  end
end

-- Finishes a job whose record has to be read.
local function end_careful(job, found, front)
  local id, detail = job.id, job.detail
  if job.way == STOPPED then
    endings.stopped(id)
  elseif not found then
    -- Data was altered: there is nothing to finish.
    return
  elseif job.way == FAIL then
    local _, reason, text, traceback = unpack(detail)
    if detail[1] ~= FAIL then
      call('HDEL', rare_keys.progress, id)
    end
    failures.fail(id, found, reason, text, false, traceback, job.owner, true)
  else
    local extra = extras.of(found)
    if job.way == ATTEMPT_FAILED then
      local _, pause, text, traceback = unpack(detail)
      endings.retry(id, found, extra, pause, text, traceback, job.owner)
    elseif job.way == LIMITED then
      local _, pause, limit = unpack(detail)
      endings.limited(id, found, extra, pause, limit, job.owner)
    else
      endings.left(id, extra, front)
    end
  end
end

-- Jobs that have left the worker and still exist: ids and records.
local function existing(ids)
  local there, records = {}, {}
  for i, found in ipairs(call('HMGET', keys.jobs, unpack(ids))) do
    if found then
      there[#there + 1] = ids[i]
      records[#records + 1] = found
    end
  end
  return there, records
end

local function requeue(batch, front)
  if #batch.released > 0 then
    local ids, records = existing(batch.released)
    placement.enqueue(ids, records, front)
  end
  if #batch.stopped > 0 then
    local ids, records = existing(batch.stopped)
    ids, records = endings.not_waiting(ids, records)
    placement.enqueue(ids, records, false)
  end
end

local function write(inc, batch)
  if #batch.completed > 0 then
    call('HDEL', keys.jobs, unpack(batch.completed))
    meta.count('completed', #batch.completed)
    local kept = batch.results
    results.keep(kept.ids, kept.outcomes, kept.ttls, kept.requesters)
  end
  if #batch.stopped > 0 then
    meta.count('deleting', -#batch.stopped)
  end
  local front = #batch.released + #batch.stopped > 0 and call('HGET', keys.of('member', inc), 'requeue') ~= 'back'
  if #batch.special > 0 then
    complete_special(batch.special, batch.special_details)
  end
  for from = 1, #batch.recorded, meta.move_limit do
    complete_recorded({ unpack(batch.recorded, from, math.min(#batch.recorded, from + meta.move_limit - 1)) })
  end
  if #batch.careful > 0 then
    local ids = {}
    for i, job in ipairs(batch.careful) do
      ids[i] = job.id
    end
    for i, found in ipairs(call('HMGET', keys.jobs, unpack(ids))) do
      end_careful(batch.careful[i], found, front)
    end
  end
  requeue(batch, front)
end

-- Finishes jobs of `inc`. `details` belong to the last of the ids, `names` of resources, or lists of names of limits, to the last of those before.
-- `owners` are the values in `owner`, `wanted` the expected ones. Returns the rejected positions.
function round_ends.finish(inc, ids, wanted, details, names, owners)
  local batch = new_batch()
  local plain = #ids - #details
  local without_resource = plain - #names
  for i, id in ipairs(ids) do
    local detail = i > plain and details[i - plain] or nil
    local resource = not detail and names[i - without_resource]
    sort_job(batch, i, id, detail, resource, owners[i], wanted[i])
  end
  remove_owners(inc, ids, batch)
  write(inc, batch)
  return batch.rejected
end

-- Stores checkpoints in the records of their jobs: id and value in turn.
local function store_checkpoints(list)
  local ids, changed, found = {}, {}, {}
  for i = 1, #list, 2 do
    ids[#ids + 1] = list[i]
  end
  for i, text in ipairs(call('HMGET', keys.jobs, unpack(ids))) do
    found[ids[i]] = text or nil
  end
  for i = 1, #list, 2 do
    local id, text = list[i], found[list[i]]
    if text then
      found[id] = extras.with_checkpoint(text, list[i + 1])
      changed[#changed + 1], changed[#changed + 2] = id, found[id]
      meta.note_size(#found[id])
    end
  end
  if #changed > 0 then
    call('HSET', keys.jobs, unpack(changed))
  end
end

-- Stores progress, checkpoints and lines of logs: id, owner, kind, value, ...; those of jobs that are no longer assigned to that owner are dropped.
function round_ends.store(list)
  local ids, progress, checkpoints, lines = {}, {}, {}, {}
  for i = 1, #list, 4 do
    ids[#ids + 1] = list[i]
  end
  for i, held in ipairs(call('HMGET', keys.owner, unpack(ids))) do
    local at = 4 * i - 3
    if held == list[at + 1] or held == owner.watched(list[at + 1]) then
      if list[at + 2] == LOG then
        local fence = owner.read(list[at + 1])
        lines[#lines + 1], lines[#lines + 2], lines[#lines + 3] = list[at], fence, list[at + 3]
      else
        local kept = list[at + 2] == CHECKPOINT and checkpoints or progress
        kept[#kept + 1], kept[#kept + 2] = list[at], list[at + 3]
        if clock.recording and kept == progress then
          events().note(event_kinds.PROGRESS, list[at], '', list[at + 1], '', #list[at + 3] <= events().TEXT and list[at + 3] or '')
        end
      end
    end
  end
  if #progress > 0 then
    call('HSET', rare_keys.progress, unpack(progress))
  end
  if #checkpoints > 0 then
    store_checkpoints(checkpoints)
  end
  if #lines > 0 then
    logs().append(lines)
  end
end

return round_ends
