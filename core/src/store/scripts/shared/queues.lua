  -- Queues of waiting jobs. Each belongs to a priority and a task. Without a task it is a list; with one it is a sorted set by the order of
  -- coming, so that a worker with several tasks takes the jobs of one priority in the order they came.

  local function queue_of(priority, task)
    if task ~= '' then
      return key_of('ready', string.format('%.0f:%s', priority, task))
    end
    return priority == 0 and READY or key_of('ready', string.format('%.0f', priority))
  end

  -- Priorities in use, highest first; READY is not among them.
  local function index_of(task)
    return task == '' and key('queues') or key_of('queues', task)
  end

  -- orders: their places among all jobs, for queues with a task.
  local function push(priority, task, ids, orders, front)
    local queue, n = queue_of(priority, task), #ids
    if task ~= '' then
      local scored = {}
      for i, id in ipairs(ids) do
        scored[2 * i - 1] = orders[i]
        scored[2 * i] = id
      end
      call('ZADD', queue, unpack(scored))
    elseif front then
      local reversed = {}
      for i = n, 1, -1 do
        reversed[n + 1 - i] = ids[i]
      end
      call('LPUSH', queue, unpack(reversed))
    else
      call('RPUSH', queue, unpack(ids))
    end
    if queue ~= READY and call('ZADD', index_of(task), -priority, string.format('%.0f', priority)) == 1 then
      queues = queues + 1
      remember('queues', queues)
      set_special()
      if task ~= '' then
        call('SADD', TASKS, task)
      end
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

  -- An empty queue is no longer looked at; answers whether it was.
  function X.forget_queue(priority, task)
    if call('ZREM', index_of(task), string.format('%.0f', priority)) == 0 then
      return false
    end
    queues = queues - 1
    remember('queues', queues)
    set_special()
    X.forget_task(task)
    return true
  end

  -- The first n ids of a queue, or of those of several tasks in the order they came.
  local function first_of(priority, tasks, n)
    if #tasks == 1 then
      local task = tasks[1]
      local queue = queue_of(priority, task)
      local ids = {}
      if task == '' then
        ids = call('LPOP', queue, n) or {}
      else
        for i, value in ipairs(call('ZPOPMIN', queue, n)) do
          if i % 2 == 1 then
            ids[#ids + 1] = value
          end
        end
      end
      if #ids < n and queue ~= READY then
        X.forget_queue(priority, task)
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

  -- Takes up to n jobs from queues; those deleted meanwhile are skipped. Answers ids, records and how many entries were taken.
  local function pop(priority, tasks, n)
    local some = first_of(priority, tasks, n)
    if #some == 0 then
      return {}, {}, 0
    end
    local found = call('HMGET', JOBS, unpack(some))
    local whole = ghosts == 0
    for i = 1, whole and #found or 0 do
      whole = whole and found[i]
    end
    if whole then
      -- The common case, without copying.
      return some, found, #some
    end
    local ids, records = {}, {}
    local deleted = ghosts > 0 and call('SMISMEMBER', GHOSTS, unpack(some)) or {}
    for i, id in ipairs(some) do
      if deleted[i] == 1 then
        call('SREM', GHOSTS, id)
        ghosts = ghosts - 1
        remember('ghosts', ghosts)
      elseif found[i] then
        ids[#ids + 1] = id
        records[#records + 1] = found[i]
      end
    end
    return ids, records, #some
  end

  -- Jobs about to be given: parks those whose resource another has, claims it for the others, starts and stops their clocks.
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
          name = parse('>I2c0', record, band(flags, 4) == 0 and 2 or 3)
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
    local parked, parked_for = {}, {}
    -- Whether the job has it now; if not, it is parked for it.
    local function claim(name, id)
      local holder = holders[name]
      if not holder then
        holders[name] = id
        claims[#claims + 1] = name
        claims[#claims + 1] = id
      elseif holder ~= id then
        parked[#parked + 1] = id
        local list = parked_for[name]
        if list then
          list[#list + 1] = id
        else
          parked_for[name] = { id }
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
    for name, list in pairs(parked_for) do
      call('RPUSH', key_of('parked', name), unpack(list))
    end
    if #parked > 0 then
      call('SADD', PARKED, unpack(parked))
    end
    return given, given_records
  end

  -- The queues that are not empty: priority, task and key, as workers take them.
  function X.queues()
    local all = { { priority = 0, task = '', key = READY } }
    local tasks = queues > 0 and call('SMEMBERS', TASKS) or {}
    tasks[#tasks + 1] = ''
    for _, task in ipairs(tasks) do
      for _, priority in ipairs(call('ZRANGE', index_of(task), 0, 999)) do
        all[#all + 1] = { priority = tonumber(priority), task = task, key = queue_of(tonumber(priority), task) }
      end
    end
    table.sort(all, function(a, b) return a.priority > b.priority or a.priority == b.priority and a.task < b.task end)
    return all
  end

  function X.queue_length(queue)
    return call(queue.task == '' and 'LLEN' or 'ZCARD', queue.key)
  end

  function X.queue_page(queue, from, to)
    return call(queue.task == '' and 'LRANGE' or 'ZRANGE', queue.key, from, to)
  end

  function X.paused_tasks()
    local list = {}
    for task in pairs(paused) do
      list[#list + 1] = task
    end
    return list
  end
