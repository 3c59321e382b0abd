-- Deletes jobs in any state, and completed jobs that are kept. An active job occupies its worker's slot until the worker reports that it stopped.
-- KEYS  the fixed keys
-- ARGV  ids (msgpack)
-- Returns  a list of 1 (it existed) or 0, in the order of the ids
local deletion = require('deletion')
local meta = require('meta')
local reply = require('reply')
local history = lazy('history')

local ids = cmsgpack.unpack(ARGV[1])
local answers = deletion.delete(ids)
if meta.completed_max then
  history().delete(ids, answers)
end
return reply(answers)
