-- Deletes jobs in any state. An active job occupies its worker's slot until the worker reports that it stopped.
-- KEYS  the fixed keys
-- ARGV  ids (msgpack)
-- Returns  a list of 1 (it existed) or 0, in the order of the ids
local deletion = require('deletion')
local reply = require('reply')

return reply(deletion.delete(cmsgpack.unpack(ARGV[1])))
