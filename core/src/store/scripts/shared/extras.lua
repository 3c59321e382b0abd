-- What only some jobs and members have: priorities, tasks, resources, delays, timeouts, similar jobs, guaranteed slots. Made when first
-- needed, so that plain jobs do not pay for it.
--
-- A job waits in one of: its queue, DELAYED until it is due, parked:<resource> while another has the resource, similar:<key> while a similar
-- job is there. A queue belongs to a priority and a task. Without a task it is a list; with one it is a sorted set by the order of coming,
-- so that a worker with several tasks takes the jobs of one priority in the order they came.
-- Needs place.lua and finish.lua.
local made
function extras()
  if made then
    return made
  end
  local X = {}
  made = X

  local function key(part)
    return string.sub(META, 1, -5) .. part
  end
  local DELAYED, RESOURCES, STOPPING, SIMILAR, PROGRESS, TASKS =
    key('delayed'), key('resources'), key('stopping'), key('similar'), key('progress'), key('tasks')

  local more = call('HMGET', META, 'queues', 'sequence', 'parked', 'paused')
  local queues, sequence = tonumber(more[1]) or 0, tonumber(more[2]) or 0
  counters.parked = more[3]
  local paused = {}
  for _, task in ipairs(more[4] and cmsgpack.unpack(more[4]) or {}) do
    paused[task] = true
  end

  local function set_special()
    special = (queues > 0 or next(paused)) and '1' or false
    if special then
      remember('special', '1')
    elseif meta[15] or changed_at.special then
      remember('special', '')
    end
  end

  -- No job of this task is given now; '*' stands for all.
  local function is_paused(task)
    return paused['*'] or paused[task]
  end

  function X.pause(task, on)
    paused[task] = on or nil
    local list = {}
    for name in pairs(paused) do
      list[#list + 1] = name
    end
    remember('paused', cmsgpack.pack(list))
    set_special()
  end

  local function read(record)
    local flags = string.byte(record, 1)
    local at = bit.band(flags, 4) ~= 0 and 3 or 2
    if bit.band(flags, 2) ~= 0 then
      at = at + 5 + string.byte(record, at + 4)
    end
    local failed, length = struct.unpack('>BI2', record, at)
    local extra = cmsgpack.unpack(string.sub(record, at + 3, at + 2 + length))
    extra.at, extra.failed, extra.length = at, failed, length
    return extra
  end

  local function text(value)
    return type(value) == 'string' and value ~= '' and value or nil
  end

  -- The extras of a record: p priority, k task, r resource, s key of similar jobs, o member it is tied to, n retries; a, t, e
  -- timeouts in ms to be assigned, run and end; failed attempts. Those of a damaged record are those of a plain job.
  function X.of(record)
    local known, extra = pcall(read, record)
    if not has_extras(record) or not known or type(extra) ~= 'table' then
      return { p = 0, k = '', failed = 0, n = 0 }
    end
    return {
      p = tonumber(extra.p) or 0, k = text(extra.k) or '', r = text(extra.r), s = text(extra.s), o = text(extra.o),
      n = tonumber(extra.n) or 0, a = tonumber(extra.a), t = tonumber(extra.t), e = tonumber(extra.e),
      at = extra.at, failed = extra.failed, length = extra.length,
    }
  end

  local function with_failed(record, extra, failed)
    return string.sub(record, 1, extra.at - 1) .. string.char(math.min(failed, 255)) .. string.sub(record, extra.at + 1)
  end

  -- The record, tied to another member.
  function X.retied(record, extra, inc)
    local raw = cmsgpack.unpack(string.sub(record, extra.at + 3, extra.at + 2 + extra.length))
    raw.o = inc
    local packed = cmsgpack.pack(raw)
    return string.sub(record, 1, extra.at) .. struct.pack('>I2', #packed) .. packed .. string.sub(record, extra.at + 3 + extra.length)
  end

  ---- Queues

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

  local function push(priority, task, ids, front)
    local queue, n = queue_of(priority, task), #ids
    if task ~= '' then
      local scored = {}
      for i, id in ipairs(ids) do
        scored[2 * i - 1] = front and -(sequence + n + 1 - i) or sequence + i
        scored[2 * i] = id
      end
      sequence = sequence + n
      remember('sequence', sequence)
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

  local function forget_queue(priority, task)
    if call('ZREM', index_of(task), string.format('%.0f', priority)) == 1 then
      queues = queues - 1
      remember('queues', queues)
      set_special()
    end
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
        forget_queue(priority, task)
      end
      return ids
    end
    local all = {}
    for _, task in ipairs(tasks) do
      local some = call('ZRANGE', queue_of(priority, task), 0, n - 1, 'WITHSCORES')
      if #some == 0 then
        forget_queue(priority, task)
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
    local ids, records = {}, {}
    local found = call('HMGET', JOBS, unpack(some))
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
    local all, wanted = {}, {}
    for i, record in ipairs(records) do
      if has_extras(record) then
        local extra = X.of(record)
        all[i] = extra
        if extra.r then
          wanted[#wanted + 1] = extra.r
        end
      end
    end
    if not next(all) then
      return ids, records
    end
    local holders = {}
    if #wanted > 0 then
      for i, holder in ipairs(call('HMGET', RESOURCES, unpack(wanted))) do
        holders[wanted[i]] = holder or nil
      end
    end
    local given, given_records, claims, clocks, stopped, parked = {}, {}, {}, {}, {}, {}
    for i, id in ipairs(ids) do
      local extra = all[i]
      local resource = extra and extra.r
      if resource and holders[resource] and holders[resource] ~= id then
        parked[resource] = parked[resource] or {}
        table.insert(parked[resource], id)
      else
        if resource and not holders[resource] then
          holders[resource] = id
          claims[#claims + 1] = resource
          claims[#claims + 1] = id
        end
        if extra and extra.t then
          clocks[#clocks + 1] = now + extra.t
          clocks[#clocks + 1] = 'T:' .. id
        end
        if extra and extra.a then
          stopped[#stopped + 1] = 'A:' .. id
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
    for resource, list in pairs(parked) do
      call('RPUSH', key_of('parked', resource), unpack(list))
      count('parked', #list)
    end
    return given, given_records
  end

  ---- Members

  local function load_of(task)
    return task == '' and LOAD or key_of('load', task)
  end

  local function unpacked(value)
    return value and value ~= '' and cmsgpack.unpack(value) or nil
  end

  -- What a member takes: tasks; the beginnings of its ranges of priorities and the room in each, if it guarantees slots.
  function X.member(inc)
    local fields = call('HMGET', key_of('member', inc), 'tasks', 'ranges', 'rooms')
    local member = { tasks = unpacked(fields[1]), ranges = unpacked(fields[2]), rooms = unpacked(fields[3]) }
    member.own = member.tasks ~= nil or member.ranges ~= nil
    member.tasks = member.tasks or { '' }
    if member.ranges then
      member.rooms = member.rooms or {}
      for i = 1, #member.ranges do
        member.rooms[i] = member.rooms[i] or 0
      end
    end
    return member
  end

  -- The range of a priority: the highest that begins at or below it, or else the lowest.
  local function range_of(member, priority)
    local range = 1
    for i, from in ipairs(member.ranges) do
      if from <= priority then
        range = i
      end
    end
    return range
  end

  local function room_for(member, priority, credit)
    return member.ranges and math.min(credit, member.rooms[range_of(member, priority)]) or credit
  end

  local function use_room(member, priority, number)
    if member.ranges then
      local range = range_of(member, priority)
      member.rooms[range] = member.rooms[range] - number
      member.changed = true
    end
  end

  function X.set_load(inc, member, held, credit)
    for _, task in ipairs(member.tasks) do
      if credit > 0 then
        call('ZADD', load_of(task), score_of(held, credit, member.own), inc)
      else
        call('ZREM', load_of(task), inc)
      end
    end
    if member.changed then
      call('HSET', key_of('member', inc), 'rooms', cmsgpack.pack(member.rooms))
    end
  end

  -- The score of a member that has credit.
  function X.score(inc, member)
    return call('ZSCORE', load_of(member.tasks[1]), inc)
  end

  -- Members that can be given a job of this priority and task, the least loaded first, and how many such jobs they can be given.
  local function candidates(priority, task)
    local incs, loads, credits, members, total = {}, {}, {}, {}, 0
    local from = 0
    repeat
      local ranked = call('ZRANGE', load_of(task), from, from + 99, 'WITHSCORES')
      for i = 1, #ranked, 2 do
        local inc, score = ranked[i], tonumber(ranked[i + 1])
        local credit = credit_of(score)
        local member = score % 2 == 1 and X.member(inc) or { tasks = { '' } }
        local room = room_for(member, priority, credit)
        if room > 0 then
          member.credit = credit
          incs[#incs + 1], loads[#loads + 1], credits[#credits + 1], members[#members + 1] = inc, held_of(score), room, member
          total = total + room
        end
      end
      from = from + 100
    until #incs > 0 or #ranked < 200
    return incs, loads, credits, members, total
  end

  local matched = 0

  -- Gives jobs of one queue to the members that can take them.
  local function match(priority, task, budget)
    while budget > 0 and not is_paused(task) do
      local incs, loads, credits, members, room = candidates(priority, task)
      if room == 0 then
        return
      end
      local ids, records, popped = pop(priority, { task }, math.min(room, budget, move_limit))
      if popped == 0 then
        return
      end
      budget = budget - popped
      ids, records = X.admit(ids, records)
      matched = matched + #ids
      local share = shares(loads, credits, #ids)
      local placed = 0
      for i, inc in ipairs(incs) do
        if share[i] > 0 then
          hand(inc, ids, records, placed + 1, placed + share[i])
          placed = placed + share[i]
          use_room(members[i], priority, share[i])
          X.set_load(inc, members[i], loads[i] + share[i], members[i].credit - share[i])
        end
      end
    end
  end

  -- Queues jobs, behind all others of their kind or (front) before them, and gives what can be given.
  function X.enqueue(ids, records, front)
    local groups, of_class = {}, {}
    for i, id in ipairs(ids) do
      local extra = X.of(records[i])
      local class = extra.p .. ':' .. extra.k
      local group = of_class[class]
      if not group then
        group = { priority = extra.p, task = extra.k, ids = {} }
        of_class[class] = group
        groups[#groups + 1] = group
      end
      group.ids[#group.ids + 1] = id
    end
    table.sort(groups, function(a, b) return a.priority > b.priority or a.priority == b.priority and a.task < b.task end)
    for _, group in ipairs(groups) do
      push(group.priority, group.task, group.ids, front)
    end
    -- Before, no job waited beside a member that could take it; so no more than these are to be moved.
    for _, group in ipairs(groups) do
      match(group.priority, group.task, #group.ids)
    end
  end

  -- Waiting jobs for a member with this much credit: ids, records, and whether others are left that it could take.
  function X.take(member, credit)
    local ids, records, budget = {}, {}, 2000
    local limit = math.min(credit, move_limit)
    repeat
      -- What it may take by priority, highest first.
      local levels, at = {}, {}
      local function level(priority)
        if not at[priority] then
          at[priority] = { priority = priority, tasks = {} }
          levels[#levels + 1] = at[priority]
        end
        return at[priority]
      end
      for _, task in ipairs(member.tasks) do
        if not is_paused(task) then
          if task == '' and call('EXISTS', READY) == 1 then
            level(0).plain = true
          end
          for _, priority in ipairs(queues > 0 and call('ZRANGE', index_of(task), 0, 99) or {}) do
            local here = level(tonumber(priority))
            if task == '' then
              here.plain = true
            else
              here.tasks[#here.tasks + 1] = task
            end
          end
        end
      end
      table.sort(levels, function(a, b) return a.priority > b.priority end)
      local popped_now = 0
      local function drain(priority, tasks)
        while #ids < limit and budget > 0 do
          local want = math.min(room_for(member, priority, limit - #ids), budget)
          if want == 0 then
            return
          end
          local some, found, popped = pop(priority, tasks, want)
          budget, popped_now = budget - popped, popped_now + popped
          some, found = X.admit(some, found)
          for i, id in ipairs(some) do
            ids[#ids + 1], records[#records + 1] = id, found[i]
          end
          use_room(member, priority, #some)
          if popped < want then
            return
          end
        end
      end
      for _, here in ipairs(levels) do
        if here.plain then
          drain(here.priority, { '' })
        end
        if #here.tasks > 0 then
          drain(here.priority, here.tasks)
        end
      end
    until popped_now == 0 or #ids >= limit or budget <= 0
    return ids, records, #ids < credit and (#ids >= limit or budget <= 0)
  end

  -- Gives waiting jobs of all kinds to all members; answers whether there may be more to give.
  function X.match_all()
    match(0, '', 1000)
    local tasks = call('SMEMBERS', TASKS)
    tasks[#tasks + 1] = ''
    for _, task in ipairs(tasks) do
      for _, priority in ipairs(call('ZRANGE', index_of(task), 0, 99)) do
        match(tonumber(priority), task, 1000)
      end
    end
    return matched >= 1000
  end

  ---- Ends

  -- Another may have the resource that this job had: the next that is parked.
  function X.free(resource, id)
    if call('HGET', RESOURCES, resource) ~= id then
      return
    end
    while true do
      local next_id = call('LPOP', key_of('parked', resource))
      if not next_id then
        call('HDEL', RESOURCES, resource)
        return
      end
      count('parked', -1)
      local record = call('HGET', JOBS, next_id)
      if record then
        call('HSET', RESOURCES, resource, next_id)
        return X.enqueue({ next_id }, { record }, true)
      end
    end
  end

  -- Takes a waiting job out of wherever it waits.
  function X.unqueue(id, extra)
    if call('ZREM', DELAYED, id) == 1 then
      return
    end
    if extra.r and call('LREM', key_of('parked', extra.r), 1, id) == 1
      or extra.s and call('LREM', key_of('similar', extra.s), 1, id) == 1 then
      count('parked', -1)
      return
    end
    local queue = queue_of(extra.p, extra.k)
    if extra.k ~= '' then
      call('ZREM', queue, id)
    elseif call('LLEN', queue) <= 4096 then
      call('LREM', queue, 1, id)
    else
      call('SADD', GHOSTS, id)
      ghosts = ghosts + 1
      remember('ghosts', ghosts)
    end
  end

  -- The entry that a deleted job of this id left in a long list.
  function X.exorcise(id)
    for _, priority in ipairs(call('ZRANGE', index_of(''), 0, 999)) do
      call('LREM', queue_of(tonumber(priority), ''), 1, id)
    end
  end

  -- Jobs that waited for a similar one: they end as it ended or, if it was deleted, the next of them takes its place.
  local function settle(name, outcome)
    local followers = key_of('similar', name)
    for _ = 1, outcome and 1000 or 0 do
      local id = call('LPOP', followers)
      if not id then
        break
      end
      count('parked', -1)
      local record = call('HGET', JOBS, id)
      if record then
        call('HDEL', JOBS, id)
        count(string.sub(outcome, 1, 1) == 'f' and 'failures' or 'completed', 1)
        local ttl, requester = result_of(record)
        if ttl then
          keep_results({ id }, { outcome }, { ttl }, { requester })
        end
        local extra = X.of(record)
        extra.s = nil
        X.gone(id, extra, outcome, false)
      end
    end
    while true do
      local id = call('LPOP', followers)
      if not id then
        call('HDEL', SIMILAR, name)
        return
      end
      count('parked', -1)
      local record = call('HGET', JOBS, id)
      if record then
        call('HSET', SIMILAR, name, id)
        return X.enqueue({ id }, { record }, false)
      end
    end
  end

  -- A job is over: its clocks stop, its resource is free as soon as its worker has stopped (`held`), jobs that waited for it go on.
  function X.gone(id, extra, outcome, held)
    if extra.a or extra.t or extra.e then
      call('ZREM', DUE, 'A:' .. id, 'T:' .. id, 'E:' .. id)
    end
    if extra.o then
      call('SREM', key_of('tied', extra.o), id)
    end
    if extra.r and held then
      call('HSETNX', STOPPING, id, extra.r)
    elseif extra.r then
      X.free(extra.r, id)
    end
    if extra.s and call('HGET', SIMILAR, extra.s) == id then
      settle(extra.s, outcome)
    end
  end

  function X.forget_progress(ids)
    call('HDEL', PROGRESS, unpack(ids))
  end

  -- How far jobs are: id, owner, what to keep, ...; those of jobs that are no longer the owner's are dropped.
  function X.progress(list)
    for i = 1, #list, 3 do
      if call('HGET', OWNER, list[i]) == list[i + 1] then
        call('HSET', PROGRESS, list[i], list[i + 2])
      end
    end
  end

  -- The worker has stopped a job that was deleted under it, or died with it.
  function X.stopped(id)
    call('HDEL', PROGRESS, id)
    local resource = call('HGET', STOPPING, id)
    if resource then
      call('HDEL', STOPPING, id)
      X.free(resource, id)
    end
  end

  -- A job leaves its worker and lives on. `front`: it goes before all others and keeps its resource, so that its turn stays its.
  function X.left(id, extra, front)
    call('HDEL', PROGRESS, id)
    if extra.t then
      call('ZREM', DUE, 'T:' .. id)
    end
    if extra.r and not front then
      X.free(extra.r, id)
    end
  end

  local function delay(id, pause)
    call('ZADD', DELAYED, now + pause, id)
    call('ZADD', DUE, 'LT', now + pause, 'D:')
  end

  -- An attempt failed: the job runs again after a pause in ms, or is failed if it has no retry left.
  function X.retry(id, record, extra, pause, message)
    call('HDEL', PROGRESS, id)
    if extra.failed >= extra.n then
      return fail(id, record, 'failed', message, false)
    end
    record = with_failed(record, extra, extra.failed + 1)
    call('HSET', JOBS, id, record)
    count('retries', 1)
    X.left(id, extra, false)
    if pause > 0 then
      delay(id, pause)
    else
      X.enqueue({ id }, { record }, false)
    end
  end

  ---- Beginnings

  -- New jobs with extras, stored already; starts[i]: 0 now, above a pause in ms, below the time of day in ms since 1970.
  function X.add(ids, records, starts)
    local ready, ready_records, clocks, tied = {}, {}, {}, {}
    for i, id in ipairs(ids) do
      local record = records[i]
      local extra = X.of(record)
      local pause = starts[i] < 0 and math.max(0, -starts[i] - now) or starts[i]
      if extra.o and extra.o ~= ARGV[1] then
        -- Written under the member's incarnation before this one.
        record = X.retied(record, extra, ARGV[1])
        extra.o = ARGV[1]
        call('HSET', JOBS, id, record)
      end
      if extra.o then
        tied[#tied + 1] = id
      end
      if extra.e then
        clocks[#clocks + 1] = now + extra.e
        clocks[#clocks + 1] = 'E:' .. id
      end
      if extra.a then
        clocks[#clocks + 1] = now + pause + extra.a
        clocks[#clocks + 1] = 'A:' .. id
      end
      if extra.s and call('HSETNX', SIMILAR, extra.s, id) == 0 then
        call('RPUSH', key_of('similar', extra.s), id)
        count('parked', 1)
      elseif pause > 0 then
        delay(id, pause)
      else
        ready[#ready + 1] = id
        ready_records[#ready_records + 1] = record
      end
    end
    if #tied > 0 then
      call('SADD', key_of('tied', ARGV[1]), unpack(tied))
    end
    if #clocks > 0 then
      call('ZADD', DUE, unpack(clocks))
    end
    X.enqueue(ready, ready_records, false)
  end

  ---- What is due

  -- Delayed jobs whose time has come.
  function X.due()
    local ids = call('ZRANGEBYSCORE', DELAYED, '-inf', now, 'LIMIT', 0, 200)
    if #ids > 0 then
      call('ZREM', DELAYED, unpack(ids))
      local there, records = {}, {}
      for i, record in ipairs(call('HMGET', JOBS, unpack(ids))) do
        if record then
          there[#there + 1] = ids[i]
          records[#records + 1] = record
        end
      end
      X.enqueue(there, records, false)
    end
    local first = call('ZRANGE', DELAYED, 0, 0, 'WITHSCORES')
    if first[2] then
      call('ZADD', DUE, first[2], 'D:')
    else
      call('ZREM', DUE, 'D:')
    end
  end

  local reasons = {
    A = { 'assign_timeout', 'no worker was given this job within its assign_timeout of %d ms' },
    T = { 'run_timeout', 'an execution of this job took longer than its run_timeout of %d ms' },
    E = { 'total_timeout', 'this job had not ended within its total_timeout of %d ms' },
  }

  -- A clock of a job has run out.
  function X.timeout(kind, id)
    local record, owner = call('HGET', JOBS, id), call('HGET', OWNER, id)
    local held = owner and not string.find(owner, ':d$')
    if not record or kind == 'A' and owner or kind == 'T' and not held then
      return
    end
    local extra = X.of(record)
    local message = string.format(reasons[kind][2], extra[string.lower(kind)] or 0)
    if held then
      stop_holder(id, owner, 't')
    end
    if kind == 'T' and extra.failed < extra.n then
      -- It runs again when its worker has stopped.
      call('HSET', JOBS, id, with_failed(record, extra, extra.failed + 1))
      count('retries', 1)
      if extra.r then
        call('HSETNX', STOPPING, id, extra.r)
      end
      return
    end
    if not owner then
      X.unqueue(id, extra)
    end
    fail(id, record, reasons[kind][1], message, owner)
  end

  -- Gives up to `budget` jobs up that are tied to a member; whether that was all.
  function X.give_up(inc, budget)
    local ids = call('SPOP', key_of('tied', inc), budget)
    if #ids > 0 then
      delete_jobs(ids)
    end
    return #ids < budget
  end

  return X
end
