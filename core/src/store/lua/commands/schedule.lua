-- Creates, changes, extends, lists and removes schedules.
-- KEYS  the fixed keys
-- ARGV  'put', id, nonce of the call, timing, route (msgpack {priority, task, 1 if scripts process extras of the job, 1 if it has a group}),
--       record of the job, options (msgpack {overlap, catch_up, after_end in ms or 0, limit or 0}) | 'remove', id | 'extend', id, timing, known,
--       slots (msgpack {slot, delay in ms, ...}), 1 if no more follow | 'pause', id | 'resume', id | 'run', id, nonce | 'page', cursor ('' = from the
--       start), how many | 'show', id
-- Returns  put: {created, changed or same, anchor, known, time in ms} | remove, pause, resume: 1 if it exists, else 0 | extend: 1 | run: the id of the job,
--       '' if it was skipped, or false if there is no such schedule | page: {cursor of the next page or '', msgpack {id, field, ...}, ...}; show: the same
--       for one, or false
local clock = require('clock')
local rare_keys = require('rare_keys')
local reply = require('reply')
local schedules = require('schedules')
local firing = lazy('firing')
local call = redis.call

-- Schedules in one page.
local PAGE = 200

local function put()
  local how, schedule = schedules.put(ARGV[2], ARGV[3], ARGV[4], cmsgpack.unpack(ARGV[5]), ARGV[6], cmsgpack.unpack(ARGV[7]))
  if how == 'changed' then
    firing().revive(ARGV[2], schedule)
  end
  return { how, schedule[schedules.ANCHOR], schedule[schedules.KNOWN], clock.wall }
end

local function run()
  local schedule = schedules.read(ARGV[2])
  return schedule and firing().add_now(ARGV[2], ARGV[3], schedule) or false
end

local function show(id)
  local schedule = schedules.read(id)
  return schedule and cmsgpack.pack({ id, unpack(schedule) })
end

local function page()
  local from = ARGV[2] == '' and '-' or '(' .. ARGV[2]
  local number = math.min(tonumber(ARGV[3]), PAGE)
  local ids = call('ZRANGE', rare_keys.schedule_ids, from, '+', 'BYLEX', 'LIMIT', 0, number)
  local answer = { #ids == number and ids[#ids] or '' }
  for _, id in ipairs(ids) do
    local shown = show(id)
    if shown then
      answer[#answer + 1] = shown
    else
      call('ZREM', rare_keys.schedule_ids, id)
    end
  end
  return answer
end

local function show_one()
  return show(ARGV[2]) or false
end

local function remove()
  return schedules.remove(ARGV[2])
end

local function extend()
  schedules.extend(ARGV[2], ARGV[3], tonumber(ARGV[4]), cmsgpack.unpack(ARGV[5]), tonumber(ARGV[6]))
  return 1
end

local function pause()
  return schedules.pause(ARGV[2], true)
end

local function resume()
  return schedules.pause(ARGV[2], false)
end

local commands = {
  put = put,
  run = run,
  page = page,
  show = show_one,
  remove = remove,
  extend = extend,
  pause = pause,
  resume = resume,
}
return reply(commands[ARGV[1]]())
