  -- Queues of waiting jobs. READY, a list, is that of plain jobs: it is the cheapest. Every other queue is a sorted set by the order of coming, one for
  -- each priority and task. While there are others, plain jobs that come wait in `ready:0:`; so those in READY have come before all of their
  -- priority, and a worker takes the jobs of one priority in the order in which they came, whatever their task.

  local function queue_of(priority, task)
    if task ~= '' or priority == 0 then
      return key_of('ready', string.format('%.0f:%s', priority, task))
    end
    return key_of('ready', string.format('%.0f', priority))
  end

  -- Priorities of a task whose sorted sets are not empty, highest first.
  local function index_of(task)
    return task == '' and key('queues') or key_of('queues', task)
  end

  -- The member of INDEX that stands for a sorted set. Of one priority they are in the order of their tasks.
  local function entry_of(priority, task)
    return string.format('%.0f:%s', priority, task)
  end

  -- Says that a sorted set is not empty.
  local function list_queue(priority, task)
    call('ZADD', index_of(task), -priority, string.format('%.0f', priority))
    if task ~= '' then
      call('SADD', TASKS, task)
    end
    if call('ZADD', INDEX, -priority, entry_of(priority, task)) == 1 then
      queues = queues + 1
      set_special()
      return true
    end
  end
  X.list_queue, X.queue_of = list_queue, queue_of

  -- orders: their places among all jobs.
  local function push(priority, task, ids, orders, front)
    local n = #ids
    if priority == 0 and task == '' and front then
      local reversed = {}
      for i = n, 1, -1 do
        reversed[n + 1 - i] = ids[i]
      end
      call('LPUSH', READY, unpack(reversed))
      return
    elseif priority == 0 and task == '' and queues == 0 then
      call('RPUSH', READY, unpack(ids))
      return
    end
    local scored = {}
    for i, id in ipairs(ids) do
      scored[2 * i - 1] = orders[i]
      scored[2 * i] = id
    end
    call('ZADD', queue_of(priority, task), unpack(scored))
    if call('ZADD', index_of(task), -priority, string.format('%.0f', priority)) == 1 then
      list_queue(priority, task)
    end
  end

  -- Half of READY is dead: what is alive near its end goes to the front of `ready:0:`, where deletions leave nothing behind.
  function X.thin_out()
    local ids = call('RPOP', READY, 1000) or {}
    if #ids == 0 then
      return
    end
    ids = living(ids, ids)
    sequence = sequence + #ids
    remember('sequence', sequence)
    local scored = {}
    for i, id in ipairs(ids) do
      scored[2 * i - 1], scored[2 * i] = -sequence + #ids - i, id
    end
    if #ids > 0 then
      call('ZADD', queue_of(0, ''), unpack(scored))
      list_queue(0, '')
    end
  end

  -- A task is forgotten when no job waits for it and no worker could be given one.
  function X.forget_task(task)
    if task ~= '' and call('EXISTS', index_of(task)) == 0 and call('EXISTS', key_of('load', task)) == 0 then
      call('SREM', TASKS, task)
    end
  end

  -- Those of a member, which takes them no more.
  function X.forget_tasks(member)
    for _, task in ipairs(member.tasks) do
      X.forget_task(task)
    end
  end

  -- An empty queue is no longer looked at.
  function X.forget_queue(priority, task)
    call('ZREM', index_of(task), string.format('%.0f', priority))
    if call('ZREM', INDEX, entry_of(priority, task)) == 1 then
      queues = queues - 1
      set_special()
    end
    X.forget_task(task)
  end

  -- The first n ids of a sorted set, or of those of several tasks in the order they came.
  local function first_of(priority, tasks, n)
    if #tasks == 1 then
      local queue = queue_of(priority, tasks[1])
      local ids = {}
      for i, value in ipairs(call('ZPOPMIN', queue, n)) do
        if i % 2 == 1 then
          ids[#ids + 1] = value
        end
      end
      if #ids < n then
        X.forget_queue(priority, tasks[1])
      end
      return ids
    end
    -- What is looked at is bounded, not only what is taken; who wants more comes again.
    n = math.min(n, math.max(1, math.floor(2000 / #tasks)))
    local all = {}
    for _, task in ipairs(tasks) do
      local some = call('ZRANGE', queue_of(priority, task), 0, n - 1, 'WITHSCORES')
      if #some == 0 then
        X.forget_queue(priority, task)
      end
      for i = 1, #some, 2 do
        all[#all + 1] = { id = some[i], order = tonumber(some[i + 1]), task = task }
      end
    end
    table.sort(all, function(a, b) return a.order < b.order end)
    local ids, of_task = {}, {}
    for i = 1, math.min(n, #all) do
      ids[i] = all[i].id
      of_task[all[i].task] = of_task[all[i].task] or {}
      table.insert(of_task[all[i].task], all[i].id)
    end
    for task, list in pairs(of_task) do
      call('ZREM', queue_of(priority, task), unpack(list))
    end
    return ids
  end

  -- Takes up to n jobs out of sorted sets; answers ids, records and how many entries were taken.
  local function pop(priority, tasks, n)
    local some = first_of(priority, tasks, n)
    if #some == 0 then
      return {}, {}, 0
    end
    in_hand[#in_hand + 1] = some
    local found, whole = call('HMGET', JOBS, unpack(some)), true
    for i = 1, #found do
      whole = whole and found[i]
    end
    if whole then
      -- The common case, without copying.
      return some, found, #some
    end
    local ids, records = {}, {}
    for i, id in ipairs(some) do
      if found[i] then
        ids[#ids + 1] = id
        records[#records + 1] = found[i]
      end
    end
    return ids, records, #some
  end

  -- The same, out of READY.
  local function pop_ready(n)
    local some, ids, records = call('LPOP', READY, n) or {}, {}, {}
    if #some > 0 then
      in_hand[#in_hand + 1] = some
      ids, records = living(some, call('HMGET', JOBS, unpack(some)))
    end
    if #some < n then
      forget_tombstones()
    end
    return ids, records, #some
  end

  -- Has jobs wait for a resource (`blocked`) or a similar job (`similar`), in their order and behind those that do.
  local function block(what, name, ids)
    local scored = {}
    for i, id in ipairs(ids) do
      scored[2 * i - 1], scored[2 * i] = sequence + i, id
    end
    sequence = sequence + #ids
    remember('sequence', sequence)
    call('ZADD', key_of(what, name), unpack(scored))
    call('SADD', BLOCKED, unpack(ids))
  end

  -- Jobs about to be given: blocks those whose resource another has, claims it for the others, starts and stops their clocks.
  function X.admit(ids, records)
    -- What each job must have to itself: its resource and, if it is a suspect, ''.
    local resource, extras_of, suspect, careful = {}, {}, {}, false
    local wanted, holders = {}, {}
    local function want(name)
      holders[name] = false
      wanted[#wanted + 1] = name
    end
    for i = 1, #records do
      local record = records[i]
      local flags = byte(record, 1) or 0
      if flags >= 16 then
        careful = true
        local name
        if band(flags, 56) == 0 then
          name = resource_of(record)
        else
          local extra = X.of(record)
          extras_of[i], name = extra, extra.r
          if extra.suspect then
            suspect[i] = true
            if holders[''] == nil then
              want('')
            end
          end
        end
        if name then
          resource[i] = name
          if holders[name] == nil then
            want(name)
          end
        end
      end
    end
    if not careful then
      return ids, records
    end
    if #wanted > 0 then
      for i, holder in ipairs(call('HMGET', RESOURCES, unpack(wanted))) do
        holders[wanted[i]] = holder
      end
    end
    local given, given_records, claims, clocks, stopped = {}, {}, {}, {}, {}
    local blocked_for = {}
    -- Whether the job has it now; if not, it is blocked for it.
    local function claim(name, id)
      local holder = holders[name]
      if not holder then
        holders[name] = id
        claims[#claims + 1] = name
        claims[#claims + 1] = id
      elseif holder ~= id then
        local list = blocked_for[name]
        if list then
          list[#list + 1] = id
        else
          blocked_for[name] = { id }
        end
        return false
      end
      return true
    end
    for i, id in ipairs(ids) do
      if (not resource[i] or claim(resource[i], id)) and (not suspect[i] or claim('', id)) then
        local extra = extras_of[i]
        if extra then
          if extra.suspect then
            clocks[#clocks + 1] = now + 250
            clocks[#clocks + 1] = 'P:' .. id
          end
          if extra.t then
            clocks[#clocks + 1] = now + extra.t
            clocks[#clocks + 1] = 'T:' .. id
          end
          if extra.a then
            stopped[#stopped + 1] = 'A:' .. id
          end
        end
        given[#given + 1] = id
        given_records[#given_records + 1] = records[i]
      end
    end
    if #claims > 0 then
      call('HSET', RESOURCES, unpack(claims))
    end
    if #clocks > 0 then
      call('ZADD', DUE, unpack(clocks))
    end
    if #stopped > 0 then
      call('ZREM', DUE, unpack(stopped))
    end
    for name, list in pairs(blocked_for) do
      block('blocked', name, list)
    end
    return given, given_records
  end

  -- A member of INDEX, read: the queue that it stands for, or nil.
  function X.read_entry(entry)
    local priority, task = string.match(entry, '^(-?%d+):(.*)$')
    priority = bounded(priority, -9007199254740992, 9007199254740992)
    return priority and { priority = priority, task = task, key = queue_of(priority, task), entry = entry }
  end

  -- The queues that are not empty, in the order in which workers take them, up to `most` from a place in INDEX on. READY is not among them.
  function X.queues(from, most)
    local all = {}
    for _, entry in ipairs(call('ZRANGE', INDEX, from, from + most - 1)) do
      local queue = X.read_entry(entry)
      if queue then
        all[#all + 1] = queue
      else
        call('ZREM', INDEX, entry)
      end
    end
    return all
  end

  function X.paused_tasks()
    return call('SMEMBERS', PAUSED)
  end
