-- Orders to workers: the number of slots, and whether to pause. `orders` keeps those that a worker has not confirmed with a round, so that it gets them
-- also if it loses its lease before it reads its inbox.
local clock = require('clock')
local due_entries = require('due_entries')
local inbox = require('inbox')
local inbox_kinds = require('inbox_kinds')
local keys = require('keys')
local limits = require('limits')
local rare_keys = require('rare_keys')
local values = require('values')
local workers = require('workers')
local call = redis.call
local orders = {}

local GIVEN, NO_WORKER = 1, 0
-- Whether to pause, in `orders` and in an inbox; 0 in `orders` if there is no such order.
local RESUME, PAUSE = 1, 2

-- The orders that a worker has not confirmed: the number of the last one, slots or 0, whether to pause or 0.
local function unconfirmed(inc)
  local kept = values.unpacked(call('HGET', rare_keys.orders, inc) or '')
  kept = type(kept) == 'table' and kept or {}
  return {
    values.bounded(kept[1], 0, limits.COUNTER) or 0,
    values.bounded(kept[2], 0, limits.COUNTER) or 0,
    values.bounded(kept[3], 0, PAUSE) or 0,
  }
end

-- An order of a call that is repeated, because its reply was lost, has the nonce of the last one.
function orders.give(inc, what, value, nonce)
  local member = keys.of('member', inc)
  local role, least, last, last_nonce, replaced = unpack(call('HMGET', member, 'role', 'least_slots', 'order', 'order_nonce', 'replaced'))
  if role ~= 'worker' or replaced or not call('ZSCORE', keys.due, due_entries.LEASE .. inc) then
    return NO_WORKER
  end
  if last_nonce == nonce then
    return GIVEN
  end
  local of_slots = what == 'slots'
  least = values.bounded(least, 1, limits.COUNTER) or 1
  if of_slots and value < least then
    return -least
  end
  local kept = unconfirmed(inc)
  local at, wanted = of_slots and 2 or 3, of_slots and value or value == 1 and PAUSE or RESUME
  kept[1], kept[at] = (values.bounded(last, 0, limits.COUNTER) or 0) + 1, wanted
  call('HSET', rare_keys.orders, inc, cmsgpack.pack(kept))
  call('HSET', member, 'order', kept[1], 'order_nonce', nonce, what, value)
  if wanted == PAUSE and not of_slots then
    -- Before the worker has read the order. When it has, it withdraws its credit.
    workers.set_load(inc, workers.read(inc), 0, 0)
  end
  inbox.post(inc, inbox_kinds.ORDER, cmsgpack.pack({ kept[1], of_slots and wanted or 0, of_slots and 0 or wanted }))
  return GIVEN
end

-- A worker reports its slots and whether it is paused, after it has processed the orders up to `seen`. A later order is on its way: the worker will
-- report again.
function orders.confirm(inc, slots, paused, seen)
  local member = keys.of('member', inc)
  if (values.bounded(call('HGET', member, 'order'), 0, limits.COUNTER) or 0) == seen then
    call('HSET', member, 'slots', slots, 'paused', paused)
    call('HDEL', rare_keys.orders, inc)
  end
end

-- A worker registers anew. Returns the orders that it has not confirmed before, packed, or false. Its incarnation before gets no more orders.
function orders.take_over(inc, before)
  if call('EXISTS', keys.of('member', before)) == 1 then
    call('HSET', keys.of('member', before), 'replaced', inc)
  end
  local kept = call('HGET', rare_keys.orders, inc) or call('HGET', rare_keys.orders, before)
  if kept then
    call('HSET', rare_keys.orders, inc, kept)
    call('HDEL', rare_keys.orders, before)
    call('HSET', keys.of('member', inc), 'order', unconfirmed(inc)[1])
  end
  return kept
end

-- Forgets orders to members that are gone after a while, as departure.lua does.
function orders.mend(incs)
  for _, inc in ipairs(incs) do
    if call('SISMEMBER', keys.members, inc) == 0 then
      call('ZADD', keys.due, 'NX', clock.now + limits.REMEMBERED, due_entries.LAST_BATCH .. inc)
    end
  end
end

-- Whether there are orders that the member has not confirmed.
function orders.any(inc)
  return call('HEXISTS', rare_keys.orders, inc) == 1
end

return orders
