-- Pages of the jobs of a queue in which groups take turns: group by group, in the order of a scan, because turns change all the time.
local ordering = require('ordering')
local turns = require('turns')
local call = redis.call
local turn_pages = {}

-- Groups of one step of a scan. A small sorted set is one step.
local STEP = 100

-- A cursor is where a step of the scan began, and the group, the order and the id of the last job: '<from>:<length of the group>:<group>:<order>:<id>',
-- or '<from>:' at the start of a step.
local function read(cursor)
  local from, rest = string.match(cursor, '^(%d+):(.*)$')
  local length, more = string.match(rest or '', '^(%d+):(.*)$')
  if not length then
    return from or '0'
  end
  local order, id = string.match(string.sub(more, tonumber(length) + 1), '^:([^:]+):(.*)$')
  return from, string.sub(more, 1, tonumber(length)), tonumber(order) and order, id
end

local function groups_of(scanned)
  local groups = {}
  for i = 1, #scanned, 2 do
    groups[#groups + 1] = scanned[i]
  end
  table.sort(groups)
  return groups
end

-- Appends ids until there are `number`. Returns the cursor if there may be more.
function turn_pages.append(ids, number, queue, cursor)
  local from, last, order, id = read(cursor)
  repeat
    local scanned = call('ZSCAN', queue.key, from, 'COUNT', STEP)
    for _, group in ipairs(groups_of(scanned[2])) do
      if not last or group >= last then
        local key = turns.jobs_of(queue, group)
        local first = group == last and order and ordering.behind(key, order, id) or 0
        local scored = call('ZRANGE', key, first, first + number - #ids - 1, 'WITHSCORES')
        for i = 1, #scored, 2 do
          ids[#ids + 1] = scored[i]
        end
        if #ids >= number then
          return #scored > 0 and string.format('%s:%d:%s:%s:%s', from, #group, group, scored[#scored], scored[#scored - 1])
            or string.format('%s:%d:%s:-inf:', from, #group, group)
        end
      end
    end
    from, last = scanned[1], nil
  until from == '0'
  return nil
end

return turn_pages
