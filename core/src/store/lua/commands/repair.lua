-- Removes keys of a wrong type, and starts a search for damage. Called after an error of a read-only command, which cannot repair it.
-- KEYS  the fixed keys
-- Returns  1
local recovery = require('recovery')
local reply = require('reply')
local script = require('script')

script.answer = 1
recovery.mend_types()
recovery.look_everywhere()
return reply(1)
