  -- Who hears messages, by all that they can be called, and who is told of members that come and go.

  -- An inbox with so many entries is its member's who does not read: messages for it are dropped and counted.
  local MAX_INBOX = 10000
  -- So is one with so many bytes of messages. The largest messages of the Node modules that send them in parts have 16 MiB.
  local LARGEST_INBOX = 67108864
  -- In one with fewer, all that a batch of messages brings is one entry.
  local SHORT_INBOX = 100

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

  -- Members of this kind of address: 'a' all, 'g' of a group, 'n' of a name, 'p' of a process (pid@host), 'm' one incarnation; 'i' one
  -- whether it listens or not, for answers.
  local function hearing(kind, name)
    if kind == 'a' then
      return call('SMEMBERS', LISTENERS)
    elseif kind == 'i' or kind == 'm' then
      return call('SISMEMBER', kind == 'i' and MEMBERS or LISTENERS, name) == 1 and { name } or {}
    end
    return call('SMEMBERS', key_of('listeners', kind .. ':' .. name))
  end

  -- What goes into each inbox, as the first `n` arguments of XADD; `room`, for how many entries, if each message is to be one.
  local parcels = {}
  local UNREAD = key('unread')
  X.keys.unread = UNREAD

  local function parcel_for(inc)
    local inbox = key_of('inbox', inc)
    local length = call('XLEN', inbox)
    -- What was there after the last message, and how many bytes of messages. Those that were read since are taken off as if all were of one size; what else
    -- came meanwhile counts as unread messages, until the inbox is empty.
    local bytes, entries = string.match(length > 0 and call('HGET', UNREAD, inc) or '', '^(%d+):(%d+)$')
    entries = bounded(entries, 1, 1e9)
    bytes = entries and (bounded(bytes, 0, 1e12) or 0) * math.min(1, length / entries) or 0
    local dropped = length < MAX_INBOX and bytes < LARGEST_INBOX and call('HGET', DEAF, inc)
    if dropped then
      call('HDEL', DEAF, inc)
      local before = bounded(call('HGET', key_of('member', inc), 'dropped'), 0, 9e15) or 0
      call('HSET', key_of('member', inc), 'dropped', before + (bounded(dropped, 0, 9e15) or 1))
      call('XADD', inbox, '*', 'o', dropped)
    end
    local parcel = { inbox, '*', n = 2, bytes = bytes, length = length, room = length >= SHORT_INBOX and math.max(0, MAX_INBOX - length) }
    parcels[inc] = parcel
    return parcel
  end

  -- Whether there was room. A message that is too large by itself has some in an inbox without messages.
  local function put(parcel, inc, blob)
    if parcel.room == 0 or parcel.bytes > 0 and parcel.bytes + #blob > LARGEST_INBOX then
      call('HSET', DEAF, inc, (bounded(call('HGET', DEAF, inc), 0, 9e15) or 0) + 1)
      return false
    end
    parcel.bytes, parcel.changed = parcel.bytes + #blob, true
    if not parcel.room then
      local n = parcel.n
      parcel[n + 1], parcel[n + 2], parcel.n = 'e', blob, n + 2
    else
      parcel.room, parcel.length = parcel.room - 1, parcel.length + 1
      call('XADD', parcel[1], '*', 'e', blob)
    end
    return true
  end

  -- By address: who is meant, their parcels, and the position of the first answer.
  local addressed = {}

  -- Puts a message into the inboxes of those who hear it but for `sender`, by X.send_parcels at the latest, unless it was put there before
  -- (`again`). Adds to the answers how many had no room, and who had; or the position of an answer that says the same.
  function X.deliver(kind, name, sender, again, blob, answers)
    local key = kind .. (sender or '') .. ':' .. name
    local meant = addressed[key]
    if not meant then
      meant = { of = {}, answer = #answers + 1, short = true }
      for _, inc in ipairs(hearing(kind, name)) do
        if inc ~= sender then
          local parcel = not again and (parcels[inc] or parcel_for(inc))
          meant[#meant + 1], meant.of[#meant + 1] = inc, parcel
          meant.short = meant.short and not (parcel and parcel.room)
        end
      end
      addressed[key] = meant
    end
    local answer, same = { 0 }, meant.answer <= #answers and meant.short
    for i, inc in ipairs(meant) do
      if again or put(meant.of[i], inc, blob) then
        answer[#answer + 1] = inc
      else
        answer[1] = answer[1] + 1
        same = false
      end
    end
    -- While there is room for all, the first answer holds for the next.
    meant.short = meant.short and answer[1] == 0
    answers[#answers + 1] = same and meant.answer or answer
  end

  function X.send_parcels()
    for inc, parcel in pairs(parcels) do
      if parcel.n > 2 then
        call('XADD', unpack(parcel, 1, parcel.n))
        parcel.length = parcel.length + 1
      end
      if parcel.changed then
        call('HSET', UNREAD, inc, string.format('%.0f:%.0f', parcel.bytes, parcel.length))
      end
    end
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

  -- The keys of a member, whatever is in them.
  function X.drop_keys(inc)
    call('UNLINK', key_of('member', inc), key_of('active', inc), key_of('inbox', inc), key_of('ephemeral', inc), key_of('given', inc))
  end

  -- A member is gone.
  function X.unlist(inc, lost)
    X.tell_watchers(lost and 'lost' or 'left', inc)
    for _, set in ipairs(sets_of(inc)) do
      call('SREM', set, inc)
    end
    call('SREM', WATCHERS, inc)
    call('HDEL', DEAF, inc)
    call('HDEL', UNREAD, inc)
  end

