-- Delivers messages to inboxes. reply.lua posts what is gathered here.
local inbox = require('inbox')
local inbox_kinds = require('inbox_kinds')
local keys = require('keys')
local rare_keys = require('rare_keys')
local registry = require('registry')
local script = require('script')
local values = require('values')
local call = redis.call
local bounded = values.bounded
local messages = {}

-- A member whose inbox has so many entries is treated as not reading: messages for it are dropped and counted.
local MAX_ENTRIES = 10000
-- The same limit for bytes of messages. The largest messages of the Node modules, which are sent in parts, have 16 MiB.
local MAX_BYTES = 67108864
-- An inbox with fewer entries receives a batch of messages as one entry.
local SHORT = 100

-- The arguments of XADD for each inbox, of which the first `n` are used. `free`: how many more entries the inbox may have, if each message is an
-- entry.
local parcels = {}

-- Estimates the bytes of messages in an inbox. `unread` has the bytes after the last message, and the number of entries at that time. Entries that
-- were read since are subtracted as if all had the same size; other entries count as unread messages until the inbox is empty.
local function unread_bytes(inc, length)
  local bytes, entries = string.match(length > 0 and call('HGET', rare_keys.unread, inc) or '', '^(%d+):(%d+)$')
  entries = bounded(entries, 1, 1e9)
  return entries and (bounded(bytes, 0, 1e12) or 0) * math.min(1, length / entries) or 0
end

-- The member reads again: notifies it of the messages that were dropped before.
local function report_dropped(inc)
  local dropped = call('HGET', rare_keys.unreported, inc)
  if not dropped then
    return
  end
  call('HDEL', rare_keys.unreported, inc)
  local before = bounded(call('HGET', keys.of('member', inc), 'dropped'), 0, 9e15) or 0
  call('HSET', keys.of('member', inc), 'dropped', before + (bounded(dropped, 0, 9e15) or 1))
  inbox.post(inc, inbox_kinds.DROPPED, dropped)
end

local function parcel_for(inc)
  local key = keys.of('inbox', inc)
  local length = call('XLEN', key)
  local bytes = unread_bytes(inc, length)
  if length < MAX_ENTRIES and bytes < MAX_BYTES then
    report_dropped(inc)
  end
  local parcel = { key, '*', n = 2, bytes = bytes, length = length, free = length >= SHORT and math.max(0, MAX_ENTRIES - length) }
  parcels[inc] = parcel
  return parcel
end

-- Adds the message if it fits. Returns whether it does. An empty inbox accepts a message of any size.
local function put(parcel, inc, blob)
  if parcel.free == 0 or parcel.bytes > 0 and parcel.bytes + #blob > MAX_BYTES then
    call('HSET', rare_keys.unreported, inc, (bounded(call('HGET', rare_keys.unreported, inc), 0, 9e15) or 0) + 1)
    return false
  end
  parcel.bytes, parcel.changed = parcel.bytes + #blob, true
  if not parcel.free then
    local n = parcel.n
    parcel[n + 1], parcel[n + 2], parcel.n = inbox_kinds.MESSAGE, blob, n + 2
  else
    parcel.free, parcel.length = parcel.free - 1, parcel.length + 1
    call('XADD', parcel[1], '*', inbox_kinds.MESSAGE, blob)
  end
  return true
end

-- By address: its members, their parcels, the position of the first answer, and whether all inboxes are short.
local addressed = {}

local function address_of(kind, name, sender, again, position)
  local key = kind .. (sender or '') .. ':' .. name
  local address = addressed[key]
  if not address then
    address = { parcels = {}, answer = position, short = true }
    for _, inc in ipairs(registry.receivers(kind, name)) do
      if inc ~= sender then
        local parcel = not again and (parcels[inc] or parcel_for(inc))
        address[#address + 1], address.parcels[#address + 1] = inc, parcel
        address.short = address.short and not (parcel and parcel.free)
      end
    end
    addressed[key] = address
  end
  return address
end

-- Puts a message into the inboxes of an address except `sender`, unless it was put there before (`again`). Adds an answer: how many members had it
-- dropped, and the incarnations of the recipients; or the position of an equal answer.
function messages.deliver(kind, name, sender, again, blob, answers)
  local address = address_of(kind, name, sender, again, #answers + 1)
  local answer, same = { 0 }, address.answer <= #answers and address.short
  for i, inc in ipairs(address) do
    if again or put(address.parcels[i], inc, blob) then
      answer[#answer + 1] = inc
    else
      answer[1] = answer[1] + 1
      same = false
    end
  end
  -- While no message is dropped, the first answer is valid for the next message, too.
  address.short = address.short and answer[1] == 0
  answers[#answers + 1] = same and address.answer or answer
  return #address
end

function script.flush.messages()
  for inc, parcel in pairs(parcels) do
    if parcel.n > 2 then
      call('XADD', unpack(parcel, 1, parcel.n))
      parcel.length = parcel.length + 1
    end
    if parcel.changed then
      call('HSET', rare_keys.unread, inc, string.format('%.0f:%.0f', parcel.bytes, parcel.length))
    end
  end
end

return messages
