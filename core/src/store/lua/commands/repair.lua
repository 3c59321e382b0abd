-- Removes keys of a wrong type and has damage looked for. Called after an error of a command that only reads, which cannot do it itself.
-- KEYS  the fixed keys
-- Returns  1
local recovery = require('recovery')
local reply = require('reply')
local script = require('script')

script.answer = 1
recovery.mend_types()
recovery.look_everywhere()
return reply(1)
