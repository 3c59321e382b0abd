-- Assigns waiting jobs to members that have unused credit: after a pause, a choice that took too long, or a member's silence.
local assignment = require('assignment')
local keys = require('keys')
local placement = require('placement')
local ranking = require('ranking')
local taking = require('taking')
local workers = require('workers')
local spreading = {}

-- Limits of one call: members, and jobs assigned or read.
local MEMBERS, JOBS = 50, 1000
-- How many jobs a turn counts for that read many jobs and assigned none.
local FRUITLESS = 500
-- Jobs for one member at once: 1 at first, twice as many in each round.
local MAX_AT_ONCE = 64

local function able_members(incs)
  local able = {}
  for _, inc in ipairs(incs) do
    local worker = workers.read(inc)
    local score = tonumber(workers.score(inc, worker) or nil)
    if score and ranking.credit(score) > 0 and not (placement.wary and workers.is_silent(inc)) then
      able[#able + 1] = { inc = inc, worker = worker, active = ranking.active(score), credit = ranking.credit(score) }
    end
  end
  return able
end

local function least_loaded(able)
  local best = 1
  for i, one in ipairs(able) do
    best = one.active < able[best].active and i or best
  end
  return best
end

-- Assigns up to `most` jobs to a member. Returns how many, and whether others are left that it could accept.
local function assign_waiting(one, most)
  local ids, records, left = taking.take(one.worker, math.min(one.credit, most))
  if #ids > 0 then
    assignment.send(one.inc, ids, records, 1, #ids)
    one.active, one.credit = one.active + #ids, one.credit - #ids
    workers.set_load(one.inc, one.worker, one.active, one.credit)
  end
  return #ids, left
end

-- Assigns waiting jobs of all kinds, the least loaded members first. Returns the cursor of the next page, or ''.
function spreading.spread(cursor)
  cursor = string.match(cursor, '^%d+$') or '0'
  local scanned = redis.call('SSCAN', keys.members, cursor, 'COUNT', MEMBERS)
  local able = able_members(scanned[2])
  local looked_at, turn, at_once = 0, 0, 1
  while #able > 0 do
    if looked_at >= JOBS then
      return cursor
    end
    local best = least_loaded(able)
    local number, left = assign_waiting(able[best], at_once)
    looked_at = looked_at + math.max(number, left and number == 0 and FRUITLESS or 0)
    if able[best].credit <= 0 or number == 0 and not left then
      table.remove(able, best)
    end
    turn = turn + 1
    if turn > #able then
      turn, at_once = 0, math.min(MAX_AT_ONCE, 2 * at_once)
    end
  end
  return scanned[1] ~= '0' and scanned[1] or ''
end

-- Jobs may wait although this member has credit, because its lease had not been renewed for long. They are sent to its inbox.
function spreading.assign_to(inc)
  local worker = workers.read(inc)
  local score = tonumber(workers.score(inc, worker) or nil)
  if score then
    local one = { inc = inc, worker = worker, active = ranking.active(score), credit = ranking.credit(score) }
    assign_waiting(one, one.credit)
  end
end

return spreading
