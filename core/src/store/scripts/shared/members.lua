  -- Members with tasks or guaranteed slots, and the matching of all kinds of jobs and members.

  local function load_of(task)
    return task == '' and LOAD or key_of('load', task)
  end

  -- A list in a member's record, each item as is_item says; nil if there is none, false if it is damaged.
  local function list_of(value, is_item)
    if not value or value == '' then
      return nil
    end
    local list = unpacked(value)
    if type(list) ~= 'table' or #list > 1000 then
      return false
    end
    for _, item in ipairs(list) do
      if not is_item(item) then
        return false
      end
    end
    return list
  end

  local function is_task(value)
    return value == '' or value ~= nil and is_name(value)
  end

  local function is_number(value)
    return bounded(value, -LARGEST, LARGEST) ~= nil
  end

  -- What a member takes: tasks; the beginnings of its ranges of priorities and the room in each, if it guarantees slots. One whose record is damaged
  -- takes nothing.
  function X.member(inc)
    local fields = call('HMGET', key_of('member', inc), 'tasks', 'ranges', 'rooms')
    local member = { tasks = list_of(fields[1], is_task), ranges = list_of(fields[2], is_number), rooms = list_of(fields[3], is_number) }
    member.own = member.tasks ~= nil or member.ranges ~= nil
    if member.tasks == false or member.ranges == false then
      member.damaged, member.tasks, member.ranges = true, {}, nil
    end
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

  -- Adds room in each range, or drops all.
  function X.grant(member, rooms, none)
    for range in ipairs(member.ranges) do
      member.rooms[range] = none and 0 or member.rooms[range] + (tonumber(rooms[range]) or 0)
    end
    member.changed = true
  end

  function X.know_tasks(tasks)
    for _, task in ipairs(cmsgpack.unpack(tasks)) do
      if task ~= '' then
        call('SADD', TASKS, task)
      end
    end
  end

  -- The member takes other tasks from now on; it has no credit until it asks for some.
  function X.retask(inc, tasks)
    local before = X.member(inc)
    X.set_load(inc, before, 0, 0)
    X.forget_tasks(before)
    call('HSET', key_of('member', inc), 'tasks', tasks)
    X.know_tasks(tasks)
  end

  function X.set_load(inc, member, active, credit)
    for _, task in ipairs(member.tasks) do
      if credit > 0 then
        call('ZADD', load_of(task), score_of(active, credit, member.own), inc)
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
    return member.tasks[1] and call('ZSCORE', load_of(member.tasks[1]), inc)
  end

  -- A member that lives renews its lease each third of it.
  local function is_silent(inc)
    local lease_end = tonumber(call('ZSCORE', DUE, 'L:' .. inc)) or 0
    local lease = tonumber(call('HGET', key_of('member', inc), 'lease')) or 0
    return lease_end - now < lease / 2
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
        if room > 0 and not (wary and is_silent(inc)) then
          member.credit = credit
          incs[#incs + 1], loads[#loads + 1], credits[#credits + 1], members[#members + 1] = inc, active_of(score), room, member
          total = total + room
        end
      end
      from = from + 100
    until #incs > 0 or #ranked < 200
    return incs, loads, credits, members, total
  end

  -- Gives jobs of one priority and task to the members that can take them. more(room) answers up to so many of them, ids and records, and
  -- how many it looked at; 0 if there are none.
  local function give(priority, task, more)
    while not is_paused(task) do
      local incs, loads, credits, members, room = candidates(priority, task)
      if room == 0 then
        return
      end
      if is_chosen(task) then
        return ask()
      end
      local ids, records, seen = more(math.min(room, move_limit))
      if seen == 0 then
        return
      end
      ids, records = X.admit(ids, records)
      local share = #incs == 1 and { #ids } or shares(loads, credits, #ids)
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

  -- Gives the next jobs of a group up to its `to`th; whether that was all of them.
  local function give_group(group, to)
    give(group.priority, group.task, function(room)
      local ids, records = {}, {}
      for i = group.given + 1, math.min(group.given + room, to) do
        ids[#ids + 1], records[#records + 1] = group.ids[i], group.records[i]
      end
      group.given = group.given + #ids
      return ids, records, #ids
    end)
    return group.given >= to
  end

  -- Groups of one priority: where there is not room for all, jobs are given in the order in which they came.
  local function give_in_turn(groups)
    local count, scarce, some = 0, false, false
    for _, group in ipairs(groups) do
      count = count + #group.ids
    end
    for _, group in ipairs(groups) do
      local _, _, _, _, room = candidates(group.priority, group.task)
      group.full = room == 0
      scarce, some = scarce or room < count, some or room > 0
    end
    if not scarce then
      for _, group in ipairs(groups) do
        give_group(group, #group.ids)
      end
    elseif some then
      local all = {}
      for _, group in ipairs(groups) do
        for i = 1, #group.ids do
          all[#all + 1] = { order = group.orders[i], group = group, at = i }
        end
      end
      table.sort(all, function(a, b) return a.order < b.order end)
      for i, job in ipairs(all) do
        local following = all[i + 1]
        if not job.group.full and not (following and following.group == job.group) then
          job.group.full = not give_group(job.group, job.at)
        end
      end
    end
  end

  -- What ended in this call passes its resource on before another job asks for one: a job of the same id would be taken for the one that ended.
  local function settle_resources()
    if before_writing then
      before_writing()
    end
  end

  -- Gives what can be given of new jobs, and queues the others. groups: priority, task, ids, records and orders of each; `count` orders are
  -- used up. Before, no job waited beside a member that could take it; so these need not stand in line first.
  function X.take_in(groups, count, front)
    settle_resources()
    for _, group in ipairs(groups) do
      in_hand[#in_hand + 1] = group.ids
    end
    sequence = sequence + count
    remember('sequence', sequence)
    table.sort(groups, function(a, b) return a.priority > b.priority or a.priority == b.priority and a.task < b.task end)
    local at = 1
    while at <= #groups do
      local same = {}
      repeat
        same[#same + 1] = groups[at]
        groups[at].given = 0
        at = at + 1
      until not groups[at] or groups[at].priority ~= same[1].priority
      if #same == 1 then
        give_group(same[1], #same[1].ids)
      else
        give_in_turn(same)
      end
    end
    -- Plain jobs last: beside others that wait they keep their place among them.
    table.sort(groups, function(a, b) return (a.priority ~= 0 or a.task ~= '') and b.priority == 0 and b.task == '' end)
    for _, group in ipairs(groups) do
      if group.given > 0 then
        local ids, orders = {}, {}
        for i = group.given + 1, #group.ids do
          ids[#ids + 1], orders[#orders + 1] = group.ids[i], group.orders[i]
        end
        group.ids, group.orders = ids, orders
      end
      if #group.ids > 0 then
        push(group.priority, group.task, group.ids, group.orders, front)
      end
    end
  end

  -- Queues jobs, behind all others of their kind or (front) before them, and gives what can be given.
  function X.enqueue(ids, records, front)
    local groups, of_class = {}, {}
    for i, id in ipairs(ids) do
      local extra = X.of(records[i])
      local class = entry_of(extra.p, extra.k)
      local group = of_class[class]
      if not group then
        group = { priority = extra.p, task = extra.k, ids = {}, records = {}, orders = {} }
        of_class[class] = group
        groups[#groups + 1] = group
      end
      local n = #group.ids + 1
      group.ids[n], group.records[n] = id, records[i]
      group.orders[n] = front and i - #ids - 1 - sequence or sequence + i
    end
    X.take_in(groups, #ids, front)
  end

  -- Waiting jobs for a member with this much credit: ids, records, and whether others are left that it could take.
  function X.take(member, credit)
    settle_resources()
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
        if is_chosen(task) then
          if not is_paused(task) and (task == '' and call('EXISTS', READY) == 1 or call('EXISTS', index_of(task)) == 1) then
            ask()
          end
        elseif not is_paused(task) then
          if task == '' and call('EXISTS', READY) == 1 then
            level(0).ready = true
          end
          for _, priority in ipairs(queues > 0 and call('ZRANGE', index_of(task), 0, 99) or {}) do
            if bounded(priority, -LARGEST, LARGEST) then
              local here = level(tonumber(priority))
              here.tasks[#here.tasks + 1] = task
            else
              call('ZREM', index_of(task), priority)
            end
          end
        end
      end
      table.sort(levels, function(a, b) return a.priority > b.priority end)
      local popped_now = 0
      -- `more`(number) takes jobs out of queues.
      local function drain(priority, take_more)
        while #ids < limit and budget > 0 do
          local want = math.min(room_for(member, priority, limit - #ids), budget)
          if want < 1 then
            return
          end
          local some, found, popped = take_more(want)
          budget, popped_now = budget - popped, popped_now + popped
          some, found = X.admit(some, found)
          use_room(member, priority, #some)
          if #ids == 0 then
            ids, records = some, found
          else
            for i, id in ipairs(some) do
              ids[#ids + 1], records[#records + 1] = id, found[i]
            end
          end
          if popped < want then
            return
          end
        end
      end
      for _, here in ipairs(levels) do
        if here.ready then
          drain(here.priority, pop_ready)
        end
        if #here.tasks > 0 then
          drain(here.priority, function(want) return pop(here.priority, here.tasks, want) end)
        end
      end
    until popped_now == 0 or #ids >= limit or budget <= 0
    return ids, records, #ids < credit and (#ids >= limit or budget <= 0)
  end

  -- Members that can take any of these jobs (id, record, ...), the least loaded first, as choose.lua answers them.
  function X.with_room(jobs)
    local tasks, seen, found = {}, {}, {}
    for i = 2, #jobs, 2 do
      tasks[X.of(jobs[i]).k] = true
    end
    for task in pairs(tasks) do
      local ranked = call('ZRANGE', load_of(task), 0, 999, 'WITHSCORES')
      for i = 1, #ranked, 2 do
        local inc, score = ranked[i], tonumber(ranked[i + 1])
        if not seen[inc] then
          seen[inc] = true
          local row = call('HMGET', key_of('member', inc), 'tasks', 'ranges', 'rooms', 'name', 'group', 'host', 'pid')
          for j = 1, 7 do
            row[j] = row[j] or ''
          end
          found[#found + 1] = { score, inc, active_of(score), credit_of(score), unpack(row) }
        end
      end
    end
    table.sort(found, function(a, b) return a[1] < b[1] or a[1] == b[1] and a[2] < b[2] end)
    return found
  end

  -- Gives a job to a member, if it waits and the member can take it; whether the member has it.
  function X.give_to(id, inc)
    local record, owner = call('HGET', JOBS, id), call('HGET', OWNER, id)
    if not record or owner then
      -- Sent again because its reply was lost?
      return record and string.match(owner, '^%d+:([^:]+)$') == inc
    end
    local extra, member = X.of(record), X.member(inc)
    local score, takes = tonumber(X.score(inc, member)), false
    for _, task in ipairs(member.tasks) do
      takes = takes or task == extra.k
    end
    if not score or not takes or is_paused(extra.k) or room_for(member, extra.p, credit_of(score)) < 1 then
      return false
    end
    -- One that is delayed or blocked is in no queue.
    if call('ZSCORE', DELAYED, id) or call('SISMEMBER', BLOCKED, id) == 1 then
      return false
    end
    if call('ZREM', queue_of(extra.p, extra.k), id) == 0 then
      if extra.p ~= 0 or extra.k ~= '' or call('EXISTS', READY) == 0 then
        return false
      end
      bury(id)
    end
    local ids, records = X.admit({ id }, { record })
    if #ids == 0 then
      return false
    end
    hand(inc, ids, records, 1, 1)
    use_room(member, extra.p, 1)
    X.set_load(inc, member, active_of(score) + 1, credit_of(score) - 1)
    return true
  end

  -- Gives waiting jobs of all kinds to members that can take them, the least loaded first: to some members, or about 1,000 jobs. Answers the cursor to
  -- go on with, or ''.
  function X.match_members(cursor)
    cursor = string.match(cursor, '^%d+$') or '0'
    local scanned = call('SSCAN', MEMBERS, cursor, 'COUNT', 50)
    local able, looked = {}, 0
    for _, inc in ipairs(scanned[2]) do
      local member = X.member(inc)
      local score = tonumber(X.score(inc, member) or nil)
      if score and credit_of(score) > 0 and not (wary and is_silent(inc)) then
        able[#able + 1] = { inc = inc, member = member, active = active_of(score), credit = credit_of(score) }
      end
    end
    local turn, some = 0, 1
    while #able > 0 do
      if looked >= 1000 then
        return cursor
      end
      local best = 1
      for i, one in ipairs(able) do
        best = one.active < able[best].active and i or best
      end
      local one = able[best]
      local ids, records, left = X.take(one.member, math.min(one.credit, some))
      -- Where it looked at many that cannot be given yet, it looks at the next ones later.
      looked = looked + math.max(#ids, left and #ids == 0 and 500 or 0)
      if #ids > 0 then
        hand(one.inc, ids, records, 1, #ids)
        one.active, one.credit = one.active + #ids, one.credit - #ids
        X.set_load(one.inc, one.member, one.active, one.credit)
      end
      if one.credit <= 0 or #ids == 0 and not left then
        table.remove(able, best)
      end
      turn = turn + 1
      if turn > #able then
        turn, some = 0, math.min(64, 2 * some)
      end
    end
    return scanned[1] ~= '0' and scanned[1] or ''
  end

