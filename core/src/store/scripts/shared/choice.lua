  -- A master that chooses workers: {its incarnation, how long it may take in ms, the tasks that it chooses for, or none: all}. Jobs of these wait until
  -- it has chosen, also beside members that could take them. It is asked by an entry in its inbox, once until it looks; if it takes too
  -- long, DUE has `C:` by then, and the default applies to what waits.

  local by_default = false

  local function is_chosen(task)
    if not chooser or by_default then
      return false
    end
    for _, name in ipairs(chooser[3]) do
      if name == task then
        return true
      end
    end
    return #chooser[3] == 0
  end

  local function set_asked(on)
    if asked ~= on then
      asked = on
      remember('asked', on and '1' or '')
    end
  end

  local function start_waiting()
    call('ZADD', DUE, 'NX', now + chooser[2], 'C:')
  end

  -- There is something to choose.
  local function ask()
    if not asked then
      set_asked(true)
      start_waiting()
      call('XADD', key_of('inbox', chooser[1]), '*', 'c', '')
    end
  end

  function X.set_chooser(choosing)
    chooser = choosing
    set_asked(false)
    call('ZREM', DUE, 'C:')
    remember('chooser', chooser and cmsgpack.pack(chooser) or '')
    set_special()
  end

  function X.chooser()
    return chooser and chooser[1] or ''
  end

  function X.is_chooser(inc)
    return X.chooser() == inc
  end

  -- It looks: what comes from now on, it is told of again.
  function X.looked(there)
    set_asked(false)
    if there then
      start_waiting()
    else
      call('ZREM', DUE, 'C:')
    end
  end

  -- It has chosen. What came meanwhile has its own time.
  function X.answered()
    call('ZREM', DUE, 'C:')
    if asked then
      start_waiting()
    end
  end

  -- It took too long, or is gone: what waits is given as without it.
  function X.choose_by_default()
    set_asked(false)
    by_default = true
    local cursor = X.match_members(more[4] or '')
    remember('matching', cursor)
    if cursor ~= '' then
      call('ZADD', DUE, now, 'C:')
    else
      call('ZREM', DUE, 'C:')
    end
    by_default = false
  end

  function X.chooser_gone(inc)
    if X.is_chooser(inc) then
      X.set_chooser(nil)
      X.choose_by_default()
    end
  end

  -- The queues that it chooses for, as workers take them: {priority, queues with the same, ready if READY is among them}, ... At most 1,000 are looked at.
  local function levels_to_choose()
    local queues_here = {}
    if #chooser[3] == 0 then
      queues_here = X.queues(0, 1000)
    else
      for _, task in ipairs(chooser[3]) do
        for _, priority in ipairs(queues > 0 and call('ZRANGE', index_of(task), 0, 99) or {}) do
          queues_here[#queues_here + 1] = X.read_entry(priority .. ':' .. task)
        end
      end
      table.sort(queues_here, function(one, other) return one.priority > other.priority end)
    end
    local levels = {}
    local function level(priority)
      local last = levels[#levels]
      if not last or last.priority ~= priority then
        last = { priority = priority, queues = {} }
        levels[#levels + 1] = last
      end
      return last
    end
    local plain = is_chosen('') and not is_paused('') and call('EXISTS', READY) == 1
    for _, queue in ipairs(queues_here) do
      if plain and queue.priority <= 0 then
        level(0).ready, plain = true, false
      end
      if not is_paused(queue.task) then
        local here = level(queue.priority).queues
        here[#here + 1] = queue
      end
    end
    if plain then
      level(0).ready = true
    end
    return levels
  end

  -- Jobs of the queues that it chooses for, the first ones: id and record in turn.
  function X.to_choose(most)
    local found, bytes = {}, 0
    local function is_full()
      return #found >= 2 * most or bytes >= 4194304
    end
    -- Answers how many were there.
    local function show(ids, records)
      local there = 0
      for i, id in ipairs(ids) do
        if records[i] then
          there = there + 1
          if not is_full() then
            bytes = bytes + #records[i]
            found[#found + 1], found[#found + 2] = id, records[i]
          end
        end
      end
      return there
    end
    for _, here in ipairs(levels_to_choose()) do
      local from = 0
      -- Dead entries are passed over; where they are all that is in front, they are taken out.
      for _ = 1, here.ready and 20 or 0 do
        local ids = not is_full() and call('LRANGE', READY, from, from + most - 1) or {}
        if #ids == 0 then
          break
        end
        local records = call('HMGET', JOBS, unpack(ids))
        local dead = tombstones > 0 and call('HMGET', TOMBSTONES, unpack(ids)) or {}
        local seen = {}
        for i, id in ipairs(ids) do
          seen[id] = (seen[id] or 0) + 1
          records[i] = seen[id] > (bounded(dead[i] or nil, 0, 1e9) or 0) and records[i]
        end
        if show(ids, records) == 0 and from == 0 then
          living(call('LPOP', READY, #ids), {})
        else
          from = from + most
        end
      end
      local all, share = {}, math.min(most, math.max(1, math.floor(2000 / math.max(1, #here.queues))))
      for _, queue in ipairs(is_full() and {} or here.queues) do
        local some = call('ZRANGE', queue.key, 0, share - 1, 'WITHSCORES')
        for i = 1, #some, 2 do
          all[#all + 1] = { id = some[i], order = tonumber(some[i + 1]), key = queue.key }
        end
      end
      table.sort(all, function(one, other) return one.order < other.order end)
      for at = 1, #all, most do
        local ids = {}
        for i = at, math.min(#all, at + most - 1) do
          ids[#ids + 1] = all[i].id
        end
        local records = is_full() and {} or call('HMGET', JOBS, unpack(ids))
        for i, record in ipairs(records) do
          if not record then
            call('ZREM', all[at + i - 1].key, ids[i])
          end
        end
        show(ids, records)
      end
    end
    return found
  end

