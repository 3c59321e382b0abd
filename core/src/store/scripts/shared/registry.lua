  -- Who hears messages, by all that they can be called, and who is told of members that come and go.

  -- An inbox with so many entries is its member's who does not read: messages for it are dropped and counted.
  local LONGEST_INBOX = 10000

  local function sets_of(inc)
    local fields = call('HMGET', key_of('member', inc), 'name', 'group', 'pid', 'host')
    local sets = { LISTENERS }
    for i, kind in ipairs({ 'n:', 'g:' }) do
      if fields[i] and fields[i] ~= '' then
        sets[#sets + 1] = key_of('listeners', kind .. fields[i])
      end
    end
    sets[#sets + 1] = key_of('listeners', 'p:' .. (fields[3] or '') .. '@' .. (fields[4] or ''))
    return sets
  end

  -- Messages go to this member from now on.
  function X.listen(inc)
    for _, set in ipairs(sets_of(inc)) do
      call('SADD', set, inc)
    end
  end

  -- It is told who comes and goes from now on.
  function X.watch(inc)
    call('SADD', WATCHERS, inc)
  end

  local heard_by = {}

  -- Members of this kind of address: 'a' all, 'g' of a group, 'n' of a name, 'p' of a process (pid@host), 'm' one incarnation; 'i' one
  -- whether it listens or not, for answers.
  function X.hearing(kind, name)
    local address = kind .. ':' .. name
    local found = heard_by[address]
    if not found then
      if kind == 'a' then
        found = call('SMEMBERS', LISTENERS)
      elseif kind == 'i' or kind == 'm' then
        found = call('SISMEMBER', kind == 'i' and MEMBERS or LISTENERS, name) == 1 and { name } or {}
      else
        found = call('SMEMBERS', key_of('listeners', address))
      end
      heard_by[address] = found
    end
    return found
  end

  -- Looked up once in a call: entries of each inbox, and what was dropped before there was room again.
  local lengths = {}

  -- Puts a message into an inbox; whether there was room.
  function X.deliver(inc, blob)
    local inbox = key_of('inbox', inc)
    local length = lengths[inc]
    if not length then
      length = call('XLEN', inbox)
      local dropped = length < LONGEST_INBOX and call('HGET', DEAF, inc)
      if dropped then
        call('HDEL', DEAF, inc)
        call('HINCRBY', key_of('member', inc), 'dropped', dropped)
        call('XADD', inbox, '*', 'o', dropped)
      end
    end
    if length >= LONGEST_INBOX then
      call('HINCRBY', DEAF, inc, 1)
      return false
    end
    lengths[inc] = length + 1
    call('XADD', inbox, '*', 'e', blob)
    return true
  end

  -- It is told which of these members are gone, behind all that they have said to it.
  function X.absent(inc, members)
    local gone = {}
    for _, member in ipairs(cmsgpack.unpack(members)) do
      if call('SISMEMBER', MEMBERS, member) == 0 then
        gone[#gone + 1] = member
      end
    end
    if #gone > 0 then
      call('XADD', key_of('inbox', inc), '*', 'g', cmsgpack.pack(gone))
    end
  end

  -- `what`: joined, left or lost.
  function X.tell_watchers(what, inc)
    local watchers = call('SMEMBERS', WATCHERS)
    if #watchers == 0 then
      return
    end
    local row = call('HMGET', key_of('member', inc), 'role', 'name', 'group', 'host', 'pid')
    for i = 1, 5 do
      row[i] = row[i] or ''
    end
    local news = cmsgpack.pack({ what, inc, unpack(row) })
    for _, watcher in ipairs(watchers) do
      if watcher ~= inc then
        call('XADD', key_of('inbox', watcher), '*', 'n', news)
      end
    end
  end

  -- A member is gone.
  function X.unlist(inc, lost)
    X.tell_watchers(lost and 'lost' or 'left', inc)
    for _, set in ipairs(sets_of(inc)) do
      call('SREM', set, inc)
    end
    call('SREM', WATCHERS, inc)
    call('HDEL', DEAF, inc)
  end

