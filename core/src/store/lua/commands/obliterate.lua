-- Removes the keys of the cluster. Keys that others refer to are removed last.
-- KEYS  the fixed keys
-- Returns  1 if there are more: call again; else 0
local keys = require('keys')
local queues = require('queues')
local rare_keys = require('rare_keys')
local registry = require('registry')
local reply = require('reply')
local script = require('script')
local workers = require('workers')
local extras = lazy('extras')
local turns = lazy('turns')
local values = lazy('values')
local call = redis.call

-- Limits of one call: members, and queues, tasks or resources.
local MEMBERS, NAMES = 50, 500
local MORE, DONE = 1, 0

local function remove_members()
  for _, inc in ipairs(call('SRANDMEMBER', keys.members, MEMBERS)) do
    registry.notify_watchers('left', inc)
    registry.unlist(inc)
    for _, task in ipairs(workers.read(inc).tasks) do
      call('UNLINK', keys.of('load', task))
    end
    registry.drop_keys(inc)
    -- Removed last, so that the member is found again after an error.
    call('SREM', keys.members, inc)
  end
  return call('EXISTS', keys.members) == 1
end

local function remove_queues()
  local more = false
  for _, queue in ipairs((queues.page(0, NAMES))) do
    if not queue.grouped or turns().unlink(queue, NAMES) then
      call('UNLINK', queue.key)
      queues.forget(queue)
    end
    more = true
    if queue.grouped then
      break
    end
  end
  for _, task in ipairs(call('SPOP', rare_keys.tasks, NAMES)) do
    call('UNLINK', keys.of('load', task), keys.of('queues', task))
    more = true
  end
  return more
end

-- Keys of the names in a hash: jobs that wait for them, and the like.
local function remove_named(hash, ...)
  local scanned = call('HSCAN', hash, 0, 'COUNT', NAMES)
  for i = 1, #scanned[2], 2 do
    for _, part in ipairs({ ... }) do
      call('UNLINK', keys.of(part, scanned[2][i]))
    end
    call('HDEL', hash, scanned[2][i])
  end
  return call('EXISTS', hash) == 1
end

-- The sets of jobs that use limits: the names are in the records of active jobs, or kept while a deleted one stops.
local function remove_limit_users()
  local scanned = call('HSCAN', keys.owner, 0, 'COUNT', NAMES)
  for i = 1, #scanned[2], 2 do
    local id = scanned[2][i]
    local found = id ~= '' and call('HGET', keys.jobs, id)
    for _, limit in ipairs(found and extras().of(found).limits or {}) do
      call('UNLINK', keys.of('limit_users', limit.name))
    end
    call('HDEL', keys.owner, id)
  end
  local stopping = call('HSCAN', rare_keys.stopping_limits, 0, 'COUNT', NAMES)
  for i = 1, #stopping[2], 2 do
    for _, name in ipairs(values().unpacked(stopping[2][i + 1]) or {}) do
      call('UNLINK', keys.of('limit_users', name))
    end
    call('HDEL', rare_keys.stopping_limits, stopping[2][i])
  end
  return call('EXISTS', keys.owner, rare_keys.stopping_limits) > 0
end

-- What jobs have of their dependencies while it is being removed.
local function remove_settling()
  for _, packed in ipairs(call('LPOP', rare_keys.settling, NAMES) or {}) do
    call('UNLINK', keys.of('inputs', cmsgpack.unpack(packed)[2]))
  end
  return call('EXISTS', rare_keys.settling) == 1
end

local function remove_metrics()
  for _, minute in ipairs(call('ZRANGE', rare_keys.metric_minutes, 0, NAMES - 1)) do
    call('UNLINK', keys.of('metrics', minute))
    call('ZREM', rare_keys.metric_minutes, minute)
  end
  return call('EXISTS', rare_keys.metric_minutes) == 1
end

local more = remove_members()
more = remove_queues() or more
more = remove_named(rare_keys.resources, 'blocked') or more
more = remove_named(rare_keys.unique, 'unique') or more
more = remove_named(rare_keys.limit_turns, 'limited') or more
more = remove_limit_users() or more
more = remove_settling() or more
more = remove_named(rare_keys.waits, 'inputs') or more
more = remove_named(rare_keys.uses, 'after') or more
more = remove_named(rare_keys.flows, 'flow', 'flow_edges') or more
more = remove_named(rare_keys.stages, 'stage') or more
more = remove_named(rare_keys.logs, 'log') or more
more = remove_metrics() or more
if more then
  return reply(MORE)
end
for _, key in pairs(rare_keys) do
  call('UNLINK', key)
end
call('UNLINK', unpack(KEYS))
script.discarded = true
return reply(DONE)
