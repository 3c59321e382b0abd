-- The state that prevents plain assignment: queues besides `ready:0`, pauses, a chooser. And the order in which jobs came.
local clock = require('clock')
local keys = require('keys')
local limits = require('limits')
local meta = require('meta')
local rare_keys = require('rare_keys')
local values = require('values')
local bounded = values.bounded
local call = redis.call

local sequence, packed_chooser, asked, matching = unpack(call('HMGET', keys.meta, 'sequence', 'chooser', 'asked', 'matching'))

-- The chooser: its incarnation, its time limit in ms, its tasks (none: all).
local function read_chooser(packed)
  local found = packed and packed ~= '' and values.unpacked(packed) or nil
  if type(found) ~= 'table' or type(found[1]) ~= 'string' or not bounded(found[2], 0, limits.LEASE) or type(found[3]) ~= 'table' then
    return nil
  end
  return { inc = found[1], time = found[2], tasks = found[3] }
end

local special = {
  -- Sorted sets of waiting jobs that are not empty.
  queues = call('ZCARD', rare_keys.index),
  pauses = call('SCARD', rare_keys.paused),
  chooser = read_chooser(packed_chooser),
  asked = asked == '1',
  -- The cursor of an assignment by default.
  matching = matching or '',
  -- The order of the newest job. If it is damaged, waiting jobs precede new ones.
  sequence = bounded(sequence, 0, limits.COUNTER) or sequence and clock.micros or 0,
}

function special.advance(number)
  special.sequence = special.sequence + number
  meta.remember('sequence', special.sequence)
end

function special.update()
  meta.special = special.queues > 0 or special.pauses > 0 or special.chooser ~= nil
  meta.remember('special', meta.special and '1' or '')
end

function special.set_chooser(packed)
  special.chooser = packed and read_chooser(packed)
  meta.remember('chooser', packed or '')
  special.update()
end

return special
