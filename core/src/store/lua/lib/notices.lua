-- Notifications to members, gathered here and posted once by reply.lua: outcomes of jobs, and jobs that must stop.
local due_entries = require('due_entries')
local inbox = require('inbox')
local inbox_kinds = require('inbox_kinds')
local keys = require('keys')
local script = require('script')
local notices = {}

-- Incarnation -> id, outcome, ...
local outcomes = {}
-- Kind of entry -> incarnation -> fence, id, ...
local stops = {}

local function append(lists, inc, first, second)
  local list = lists[inc] or {}
  lists[inc] = list
  list[#list + 1] = first
  list[#list + 1] = second
end

function notices.outcome(inc, id, outcome)
  append(outcomes, inc, id, outcome)
end

-- `kind`: inbox_kinds.DELETED or inbox_kinds.TIMED_OUT.
function notices.stop(kind, inc, fence, id)
  stops[kind] = stops[kind] or {}
  append(stops[kind], inc, fence, id)
end

-- Members that are gone receive no outcomes.
function script.flush.notices()
  for kind, lists in pairs(stops) do
    for inc, list in pairs(lists) do
      inbox.post(inc, kind, cmsgpack.pack(list))
    end
  end
  for inc, list in pairs(outcomes) do
    if redis.call('ZSCORE', keys.due, due_entries.LEASE .. inc) then
      inbox.post(inc, inbox_kinds.OUTCOMES, cmsgpack.pack(list))
    end
  end
  outcomes, stops = {}, {}
end

return notices
