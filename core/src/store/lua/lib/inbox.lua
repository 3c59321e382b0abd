-- Posts entries to inboxes.
local keys = require('keys')
local inbox = {}

-- `kind`: see inbox_kinds.lua.
function inbox.post(inc, kind, content)
  redis.call('XADD', keys.of('inbox', inc), '*', kind, content)
end

return inbox
