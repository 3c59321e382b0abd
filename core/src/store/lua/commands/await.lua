-- Returns results that exist, and registers the member for results to come.
-- KEYS  the fixed keys
-- ARGV  incarnation, ids (msgpack)
-- Returns  for each id: its outcome | 'w' registered | 'n' no such job or result | 'x' the job keeps no result
local keys = require('keys')
local record = require('record')
local reply = require('reply')
local waiters = require('waiters')
local call = redis.call

local REGISTERED, NONE, NO_RESULT = 'w', 'n', 'x'

local inc = ARGV[1]
local ids = cmsgpack.unpack(ARGV[2])

local answers = call('HMGET', keys.results, unpack(ids))
for i, id in ipairs(ids) do
  if not answers[i] then
    local found = call('HGET', keys.jobs, id)
    if not found then
      answers[i] = NONE
    elseif not record.result_of(found) then
      answers[i] = NO_RESULT
    else
      waiters.add(id, inc)
      answers[i] = REGISTERED
    end
  end
end
return reply(answers)
