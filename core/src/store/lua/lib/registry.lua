-- Members: the addresses at which they receive messages, the members that are notified of changes, and the keys of a member.
local broadcast = require('broadcast')
local inbox = require('inbox')
local inbox_kinds = require('inbox_kinds')
local keys = require('keys')
local rare_keys = require('rare_keys')
local call = redis.call
local registry = {}

-- Kinds of addresses: all members, a group, a name, a process (pid@host), an incarnation that is subscribed to messages, and any incarnation, for
-- acknowledgements and replies.
registry.ALL, registry.GROUP, registry.NAME, registry.PROCESS, registry.MEMBER, registry.ANSWER = 'a', 'g', 'n', 'p', 'm', 'i'

local function set_of(kind, name)
  return keys.of('listeners', kind .. ':' .. name)
end

local function process_of(pid, host)
  return (pid or '') .. '@' .. (host or '')
end

-- The sets of receivers to which a member belongs if it is subscribed to messages.
local function sets_of(inc)
  local name, group, pid, host = unpack(call('HMGET', keys.of('member', inc), 'name', 'group', 'pid', 'host'))
  local sets = { rare_keys.listeners }
  if name and name ~= '' then
    sets[#sets + 1] = set_of(registry.NAME, name)
  end
  if group and group ~= '' then
    sets[#sets + 1] = set_of(registry.GROUP, group)
  end
  sets[#sets + 1] = set_of(registry.PROCESS, process_of(pid, host))
  return sets
end

-- Subscribes the member to messages.
function registry.listen(inc)
  for _, set in ipairs(sets_of(inc)) do
    call('SADD', set, inc)
  end
end

-- Subscribes the member to members that join or leave.
function registry.watch(inc)
  call('SADD', rare_keys.watchers, inc)
end

-- The members of an address.
function registry.receivers(kind, name)
  if kind == registry.ALL then
    return call('SMEMBERS', rare_keys.listeners)
  elseif kind == registry.ANSWER or kind == registry.MEMBER then
    local set = kind == registry.ANSWER and keys.members or rare_keys.listeners
    return call('SISMEMBER', set, name) == 1 and { name } or {}
  end
  return call('SMEMBERS', set_of(kind, name))
end

-- Notifies the member which of these members are gone. The entry follows all messages of those members.
function registry.report_absent(inc, members)
  local gone = {}
  for _, member in ipairs(cmsgpack.unpack(members)) do
    if call('SISMEMBER', keys.members, member) == 0 then
      gone[#gone + 1] = member
    end
  end
  if #gone > 0 then
    inbox.post(inc, inbox_kinds.ABSENT, cmsgpack.pack(gone))
  end
end

-- what: joined, left or lost.
function registry.notify_watchers(what, inc)
  if call('EXISTS', rare_keys.watchers) == 0 then
    return
  end
  local row = call('HMGET', keys.of('member', inc), 'role', 'name', 'group', 'host', 'pid')
  for i = 1, #row do
    row[i] = row[i] or ''
  end
  broadcast.post('watchers', inbox_kinds.MEMBER, cmsgpack.pack({ what, inc, unpack(row) }), inc)
end

-- All keys of a member.
function registry.drop_keys(inc)
  call('UNLINK', keys.of('member', inc), keys.of('active', inc), keys.of('inbox', inc), keys.of('ephemeral', inc), keys.of('assigned', inc))
end

-- Removes the subscriptions of a member.
function registry.unlist(inc)
  for _, set in ipairs(sets_of(inc)) do
    call('SREM', set, inc)
  end
  call('SREM', rare_keys.watchers, inc)
  call('HDEL', rare_keys.unreported, inc)
  call('HDEL', rare_keys.unread, inc)
end

return registry
