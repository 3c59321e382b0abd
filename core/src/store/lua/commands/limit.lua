-- Sets or removes the figures of a limit. Jobs that wait at it start as far as the new figures allow.
-- KEYS  the fixed keys
-- ARGV  'set', name, figures (msgpack; see limit_state.lua), cursor | 'remove', name, '', cursor; a name that ends with `:*` stands for the limits of
--       that group; the cursor is '0' in the first call
-- Returns  {1 if the limit had figures, else 0; cursor of the next call, '0' if there is none}
local due_entries = require('due_entries')
local keys = require('keys')
local limit_lines = require('limit_lines')
local limit_state = require('limit_state')
local meta = require('meta')
local rare_keys = require('rare_keys')
local reply = require('reply')
local call = redis.call

-- Limits of a group that are looked at in one call.
local PAGE = 200

local what, name, figures, cursor = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local function change()
  local before = call('HGET', rare_keys.limits, name)
  if what == 'set' then
    call('HSET', rare_keys.limits, name, figures)
  else
    call('HDEL', rare_keys.limits, name)
  end
  return before, before ~= (what == 'set' and figures)
end

-- Limits that started jobs lately, of the group.
local function page_of_group()
  local scanned, names = call('ZSCAN', rare_keys.limit_times, cursor, 'COUNT', PAGE), {}
  for i = 1, #scanned[2], 2 do
    if limit_state.pattern_of(scanned[2][i]) == name then
      names[#names + 1] = scanned[2][i]
    end
  end
  return names, scanned[1]
end

local before, changed = change()
local next_cursor = '0'
if string.sub(name, -2) == ':*' and (changed or cursor ~= '0') then
  local names
  names, next_cursor = page_of_group()
  limit_state.shorten(names)
  -- The sweep comes to all lines, those of this group included.
  meta.remember('sweep', 't0')
  call('ZADD', keys.due, 1, due_entries.SWEEP)
elseif changed then
  limit_state.shorten({ name })
  limit_lines.note(name)
end
return reply({ before and 1 or 0, next_cursor })
