-- Records transitions of jobs for a time, for a member that follows them.
-- KEYS  the fixed keys
-- ARGV  the time in ms, number and time of day of the last event that the member has read, or '' and '' (see events.lua)
-- Returns  {id of the last entry, 1 if that event is not in the stream although later ones should be: Redis lost data; else 0} | false if there is no
--       cluster
local clock = require('clock')
local events = require('events')
local keys = require('keys')
local meta = require('meta')
local rare_keys = require('rare_keys')
local reply = require('reply')
local values = require('values')
local call = redis.call

local number, time = tonumber(ARGV[2]), ARGV[3]

-- Whether the stream contradicts that there was an event with this number and time.
local function is_lost()
  local entry = call('XRANGE', rare_keys.events, string.format('%.0f', number), '+', 'COUNT', 1)[1]
  if not entry then
    return true
  end
  local last, wall = string.match(entry[1], '^(%d+)-(%d+)$')
  local packed = values.unpacked(entry[2][2])
  local first = tonumber(last) + 1 - (type(packed) == 'table' and #packed / events.WIDTH or 0)
  return number >= first and wall ~= time
end

if not meta.protocol then
  return reply(false)
end
local last = meta.recording ~= 'always' and events.record(clock.now + tonumber(ARGV[1]))
last = last or call('HGET', keys.meta, 'recorded') or '0-0'
return reply({ last, number and is_lost() and 1 or 0 })
