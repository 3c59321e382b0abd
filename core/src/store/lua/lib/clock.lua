-- The time. `wall` is the server's clock, in ms: for times that people see and times of day. `now` is the cluster's clock, in ms, for all due times:
-- `wall` plus an offset. The offset grows when the server's clock was set back, so that `now` never goes back. It shrinks by longer times without a
-- script: the server's clock was set forward, or Redis was down.
local limits = require('limits')
local meta = require('meta')
local script = require('script')

-- Without a script for longer than this, in ms, the offset shrinks.
local SILENCE = 60000
-- `now` in `meta` is at most this old, in ms, while scripts run.
local PRECISION = 1000

local time = redis.call('TIME')
local micros = time[1] * 1000000 + time[2]
local wall = math.floor(micros / 1000)
local before = meta.number('offset', meta.offset, 0, limits.LATEST) or 0
local last_now = meta.number('now', meta.now, 0, limits.LATEST)
local offset = before
if wall + offset > limits.LATEST then
  offset = 0
end
local passed = last_now and wall + offset - last_now or 0
if passed < 0 then
  offset = offset - passed
elseif passed > SILENCE and offset > 0 then
  offset = math.max(0, offset - passed)
end
local clock = { micros = micros, wall = wall, offset = offset, now = wall + offset, last_now = last_now }
-- Whether transitions of jobs are noted: see events.lua.
clock.recording = meta.recording and (meta.recording == 'always' or (meta.number('recording', meta.recording, 0, limits.LATEST) or 0) > clock.now)
if offset ~= before then
  meta.remember('offset', offset)
  meta.remember('now', clock.now)
end

-- Ticks always store `now`. Between them it is stored only so often that it can go back by no more than PRECISION.
function script.flush.clock()
  if meta.protocol and clock.now - (last_now or 0) > PRECISION then
    meta.remember('now', clock.now)
  end
end

return clock
