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
    if X.match_all() then
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

  -- Takes entries of deleted jobs out of the front of a queue, so that they do not hide those behind.
  local function clear(queue, ids)
    for _, id in ipairs(ids) do
      call(queue.task == '' and 'LREM' or 'ZREM', queue.key, unpack(queue.task == '' and { 1, id } or { id }))
      if ghosts > 0 and call('SREM', GHOSTS, id) == 1 then
        ghosts = ghosts - 1
        remember('ghosts', ghosts)
      end
    end
  end

  -- Jobs of the queues that it chooses for, the first ones: id and record in turn.
  function X.to_choose(most)
    local found, bytes = {}, 0
    for _, queue in ipairs(X.queues()) do
      local chosen = is_chosen(queue.task) and not is_paused(queue.task)
      while chosen and #found < 2 * most do
        local ids = X.queue_page(queue, 0, most - #found / 2 - 1)
        local records = #ids > 0 and call('HMGET', JOBS, unpack(ids)) or {}
        local deleted = #ids > 0 and ghosts > 0 and call('SMISMEMBER', GHOSTS, unpack(ids)) or {}
        local there, gone = {}, {}
        for i, record in ipairs(records) do
          if not record or deleted[i] == 1 then
            gone[#gone + 1] = ids[i]
          elseif bytes < 4194304 then
            bytes = bytes + #record
            there[#there + 1], there[#there + 2] = ids[i], record
          end
        end
        clear(queue, gone)
        -- With others in their place, the page is read again, unless it has something to show.
        chosen = #there == 0 and #gone > 0
        for _, part in ipairs(there) do
          found[#found + 1] = part
        end
      end
    end
    return found
  end

