-- Posts one inbox entry to many members: at once to a few, else page by page, as `due` is processed.
local clock = require('clock')
local due_entries = require('due_entries')
local inbox = require('inbox')
local keys = require('keys')
local rare_keys = require('rare_keys')
local values = require('values')
local call = redis.call
local broadcast = {}

-- The limit of members in one call.
local PAGE = 200

local function post(members, kind, content, except)
  for _, inc in ipairs(members) do
    if inc ~= except then
      inbox.post(inc, kind, content)
    end
  end
end

-- part: the last part of the key of a set of members; `except` is skipped ('' = no member).
function broadcast.post(part, kind, content, except)
  local set = keys.prefix .. part
  if call('SCARD', set) <= PAGE then
    post(call('SMEMBERS', set), kind, content, except)
    return
  end
  call('RPUSH', rare_keys.broadcasts, cmsgpack.pack({ '0', part, kind, content, except }))
  call('ZADD', keys.due, clock.now, due_entries.BROADCAST)
end

-- Posts the first broadcast to its next page of members.
function broadcast.continue()
  local packed = call('LINDEX', rare_keys.broadcasts, 0)
  local entry = packed and values.unpacked(packed)
  if type(entry) == 'table' and #entry == 5 then
    local cursor, part, kind, content, except = unpack(entry)
    local scanned = call('SSCAN', keys.prefix .. part, cursor, 'COUNT', PAGE)
    post(scanned[2], kind, content, except)
    if scanned[1] ~= '0' then
      call('LSET', rare_keys.broadcasts, 0, cmsgpack.pack({ scanned[1], part, kind, content, except }))
      return
    end
  end
  call('LPOP', rare_keys.broadcasts)
  if call('EXISTS', rare_keys.broadcasts) == 0 then
    call('ZREM', keys.due, due_entries.BROADCAST)
  end
end

return broadcast
