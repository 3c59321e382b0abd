-- The `meta` hash. It is read once, here; changes are gathered, and reply.lua writes them once.
local keys = require('keys')
local limits = require('limits')
local script = require('script')
local values = require('values')
local bounded = values.bounded

local PROTOCOL = 1

local protocol, now, fence, largest, tombstones, epoch, grace, batch, added, completed, failures, deleted, crashes, deleting, special, offset, ticked,
  swept, recording, completed_max = unpack(redis.call('HMGET', keys.meta, 'protocol', 'now', 'fence', 'largest', 'tombstones', 'epoch', 'grace',
    BATCH .. (ARGV[1] or ''), 'added', 'completed', 'failures', 'deleted', 'crashes', 'deleting', 'special', 'offset', 'ticked', 'swept',
    'recording', 'completed_max'))
if protocol and (tonumber(protocol) or PROTOCOL) > PROTOCOL then
  script.refused = 'SWARMPROTOCOL ' .. protocol
  error(script.refused)
end

local meta = {
  protocol = protocol,
  now = now,
  fence = fence,
  epoch = epoch or '',
  grace = grace,
  offset = offset,
  ticked = ticked,
  swept = swept,
  recording = recording,
  -- How many completed jobs the cluster keeps; 0 if only those that ask for it, nil if there has been none.
  completed_max = bounded(completed_max, 0, 1e9),
  -- The last batch of this member and this command, as stored by the command.
  last_batch = batch and BATCH ~= '' and values.unpacked(batch),
  -- Whether plain assignment is not possible: there are queues besides `ready:0`, a pause or a chooser.
  special = special and special ~= '',
  largest = bounded(largest, 0, 1e9) or 0,
  -- The number of dead entries of `ready:0`: their jobs were deleted, or assigned out of order.
  tombstones = bounded(tombstones, 0, 1e15) or 0,
  counters = { added = added, completed = completed, failures = failures, deleted = deleted, crashes = crashes, deleting = deleting },
}

-- Whether completed jobs are kept that do not ask for it.
meta.keeps_completed = (meta.completed_max or 0) > 0

-- The limit of jobs moved per call, so that no call moves more than limits.BYTES of payloads.
meta.move_limit = limits.JOBS
if meta.largest > limits.BYTES / limits.JOBS then
  meta.move_limit = math.max(1, math.min(limits.JOBS, math.floor(limits.BYTES / meta.largest)))
end

local changes, changed_at = script.changes, {}

function meta.remember(field, value)
  local at = changed_at[field]
  if not at then
    at = #changes + 2
    changed_at[field] = at
    changes[at - 1] = field
  end
  changes[at] = value
end

-- Stores the size of a record if it is the largest so far and may limit how many are moved per call.
function meta.note_size(bytes)
  if bytes > meta.largest and bytes > limits.BYTES / limits.JOBS then
    meta.largest = bytes
    meta.remember('largest', bytes)
  end
end

local counters = meta.counters
function meta.count(name, by)
  if counters[name] == nil then
    counters[name] = redis.call('HGET', keys.meta, name)
  end
  counters[name] = (bounded(counters[name], -limits.COUNTER, limits.COUNTER) or 0) + by
  meta.remember(name, counters[name])
end

-- A number of `meta`, if it exists. An invalid one is replaced, and counted as damage.
function meta.number(field, value, least, most)
  local number = bounded(value, least, most)
  if value and not number then
    meta.count('damaged', 1)
    meta.remember(field, 0)
  end
  return number
end

return meta
