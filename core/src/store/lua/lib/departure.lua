-- Removes members.
local chooser = require('chooser')
local clock = require('clock')
local deletion = require('deletion')
local due_entries = require('due_entries')
local keys = require('keys')
local limits = require('limits')
local meta = require('meta')
local orders = require('orders')
local rare_keys = require('rare_keys')
local reclaim = require('reclaim')
local registry = require('registry')
local values = require('values')
local workers = require('workers')
local call = redis.call
local departure = {}

-- The number of jobs that this call may still move.
local moves_left = meta.move_limit

-- Keeps the number of its last batch of adds for a while, so that a repetition of the batch is recognized, and orders for the case that the member
-- registers anew.
local function forget_batches(inc)
  call('HDEL', keys.meta, 'sync:' .. inc, 'send:' .. inc)
  local added = values.unpacked(call('HGET', keys.meta, 'add:' .. inc) or '')
  local number = type(added) == 'table' and values.bounded(added[1], 1, limits.COUNTER)
  if not number then
    call('HDEL', keys.meta, 'add:' .. inc)
  end
  if number or orders.any(inc) then
    call('ZADD', keys.due, clock.now + limits.REMEMBERED, due_entries.LAST_BATCH .. inc)
  end
end

-- Requeues the jobs of a member, then removes it. Returns whether all were requeued. With `charge`, a crash is counted for each.
function departure.remove(inc, charge)
  local worker = workers.read(inc)
  workers.set_load(inc, worker, 0, 0)
  local all, moved = reclaim.take_back(inc, moves_left, charge)
  moves_left = moves_left - moved
  if not all then
    return false
  end
  all, moved = deletion.delete_ephemeral(inc, moves_left)
  moves_left = moves_left - moved
  if not all then
    return false
  end
  workers.forget_tasks(worker)
  chooser.gone(inc)
  registry.notify_watchers(charge and 'lost' or 'left', inc)
  registry.unlist(inc)
  call('ZREM', keys.due, due_entries.LEASE .. inc)
  call('SREM', keys.members, inc)
  registry.drop_keys(inc)
  forget_batches(inc)
  return true
end

-- Removes the records of a member at once. The sweep finds its jobs.
function departure.forget(inc)
  call('UNLINK', keys.of('active', inc), keys.of('ephemeral', inc), keys.of('inbox', inc), keys.of('assigned', inc))
  call('ZREM', keys.load, inc)
  for _, set in ipairs({ keys.members, rare_keys.listeners, rare_keys.watchers }) do
    call('SREM', set, inc)
  end
  call('HDEL', rare_keys.unreported, inc)
  call('HDEL', rare_keys.unread, inc)
  call('HDEL', rare_keys.orders, inc)
  call('HDEL', keys.meta, 'sync:' .. inc, 'send:' .. inc, 'add:' .. inc)
  local readable, worker = pcall(workers.read, inc)
  for _, task in ipairs(readable and worker.tasks or {}) do
    call('ZREM', workers.load_of(task), inc)
  end
  call('UNLINK', keys.of('member', inc))
  call('ZREM', keys.due, due_entries.LEASE .. inc)
end

return departure
