-- Members that go, and everything that is due. Needs place.lua, finish.lua and extras.lua.

-- What a call does only when something is due or a member goes: answers do_due and remove_member. Made when needed, as extras are.
local function rarely()
  local X = extras()

  -- Takes up to `budget` jobs back from `inc`, which must have no credit any more; returns whether it holds none now, and how many those were.
  -- With charge, its end counts as a crash of each, or of the one suspect among them that had just been started; of a job that had run well for 10
  -- minutes, as the first one. A job is convicted when it was alone, on trial, or never absent.
  local function take_back(inc, budget, charge)
    local active = key_of('active', inc)
    local ids = budget > 0 and call('SPOP', active, budget) or {}
    local moved = #ids
    if #ids > 0 then
      local member = call('HMGET', key_of('member', inc), 'max_crashes', 'requeue')
      local max_crashes = bounded(member[1], 0, 200) or 3
      local owners = call('HMGET', OWNER, unpack(ids))
      local jobs = {}
      in_hand[#in_hand + 1] = ids
      for i, id in ipairs(ids) do
        local fence, owner, deleting = read_owner(owners[i])
        if owner == inc then
          jobs[#jobs + 1] = { id = id, fence = fence, deleting = deleting ~= '' }
        end
      end
      table.sort(jobs, function(a, b) return a.fence < b.fence end)
      ids = {}
      for i, job in ipairs(jobs) do
        ids[i] = job.id
      end
      if #ids > 0 then
        local front = member[2] ~= 'back'
        wary = wary or charge
        X.forget_progress(ids)
        call('HDEL', OWNER, unpack(ids))
        local records = call('HMGET', JOBS, unpack(ids))
        local back, back_records, changed = {}, {}, {}
        local crashes, stopped = 0, 0
        local alone = #jobs == 1 and call('SCARD', active) == 0
        local on_trial
        local tried = charge and X.on_trial()
        for i, job in ipairs(jobs) do
          if tried == job.id and not job.deleting and records[i] then
            on_trial = job.id
          end
        end
        for i, job in ipairs(jobs) do
          local record = records[i]
          local poisoned = false
          if job.deleting then
            stopped = stopped + 1
            X.stopped(job.id)
          end
          -- A job that is being deleted has a record only if it was added again meanwhile; that one has not died.
          if record and charge and not job.deleting and (not on_trial or on_trial == job.id) then
            crashes = crashes + 1
            local count = X.crashes_of(record) + 1
            if micros - job.fence > 600000000 then
              count = 1
            end
            count = math.min(count, 255)
            if count > max_crashes and (alone or on_trial or count > 2 * max_crashes + 2) then
              poisoned = true
              X.fail(job.id, X.with_crashes(record, count), 'poison', count .. ' workers died while they ran this job', false)
            else
              record = X.with_crashes(record, count, count > max_crashes)
              changed[#changed + 1] = job.id
              changed[#changed + 1] = record
            end
          end
          if record and not poisoned then
            if has_extras(record) and not job.deleting then
              X.left(job.id, X.of(record), front)
            end
            local elsewhere = job.deleting and #X.not_waiting({ job.id }, { record }) == 0
            if not elsewhere then
              back[#back + 1] = job.id
              back_records[#back_records + 1] = record
            end
          end
        end
        if crashes > 0 then
          count('crashes', crashes)
        end
        if stopped > 0 then
          count('deleting', -stopped)
        end
        if #changed > 0 then
          call('HSET', JOBS, unpack(changed))
        end
        if #back > 0 then
          enqueue(back, back_records, front)
        end
      end
    end
    return call('SCARD', active) == 0, moved
  end

  -- Jobs that may still be moved by what is due in this call.
  local moves_left = move_limit

  -- Ends a member's membership, its jobs going back first; returns whether all did. The number of its last batch of adds is
  -- kept for an hour, so that the batch, sent again, is still known.
  local function remove_member(inc, charge)
    X.set_load(inc, X.member(inc), 0, 0)
    local all, moved = take_back(inc, moves_left, charge)
    moves_left = moves_left - moved
    if not all then
      return false
    end
    all, moved = X.give_up(inc, moves_left)
    moves_left = moves_left - moved
    if not all then
      return false
    end
    X.forget_tasks(X.member(inc))
    X.chooser_gone(inc)
    X.unlist(inc, charge)
    call('ZREM', DUE, 'L:' .. inc)
    call('SREM', MEMBERS, inc)
    X.drop_keys(inc)
    call('HDEL', META, 'sync:' .. inc, 'send:' .. inc)
    local added = unpacked(call('HGET', META, 'add:' .. inc) or '')
    if type(added) == 'table' and bounded(added[1], 1, 9e15) then
      call('ZADD', DUE, now + 3600000, 'M:' .. inc)
    else
      call('HDEL', META, 'add:' .. inc)
    end
    return true
  end

  -- Does what an entry of DUE stands for; answers whether nothing else is to be done in this call.
  local function do_due(kind, name)
    if kind == 'L' then
      return not remove_member(name, true)
    elseif kind == 'D' then
      X.due()
    elseif kind == 'C' then
      X.choose_by_default()
    elseif kind == 'P' then
      X.probe(name)
    elseif kind == 'F' then
      X.forget_failed()
    elseif kind == 'S' then
      X.sweep(true)
    elseif kind == 'A' or kind == 'T' or kind == 'E' then
      -- What was due before it may have begun another execution, of whose clock the entry is now.
      local entry = kind .. ':' .. name
      if (tonumber(call('ZSCORE', DUE, entry) or '') or now + 1) <= now then
        call('ZREM', DUE, entry)
        X.timeout(kind, name)
      end
    else
      error('nothing is known of this kind')
    end
  end

  return do_due, remove_member
end

-- Does what is due, up to a bound, and sends what was gathered for members; returns the milliseconds until the next thing is due, and over how many
-- milliseconds members should spread their coming for it. DUE holds L:<inc> leases, R:<id> expiries of results, M:<inc> batch numbers to
-- forget, F: the end of the oldest failed job, D: the first delayed job, A:<id>, T:<id>, E:<id> timeouts of jobs to be assigned, to run, to end, P:<id>
-- the end of a suspect's first moments, C: the end of the time for a choice of workers, S: that damage is to be looked for.
local function tick(lease)
  local grace = bounded(meta[7], 0, now + MAX_LEASE) or 0
  remember('now', now)
  remember('ticked', now)
  -- Nobody came for long: Redis was away, or its clock was set forward. Those that still hold their right renew first.
  if meta[17] and now - math.min(bounded(meta[17], 0, now) or 0, last_now or 0) > lease / 2 then
    grace = now + math.floor(lease / 3)
    remember('grace', grace)
  end
  local first = call('ZRANGE', DUE, 0, 0, 'WITHSCORES')
  if first[2] and tonumber(first[2]) <= now then
    local over, results, others = {}, {}, {}
    for _, entry in ipairs(call('ZRANGEBYSCORE', DUE, '-inf', now, 'LIMIT', 0, 200)) do
      local kind, name = string.sub(entry, 1, 1), string.sub(entry, 3)
      if kind == 'R' then
        results[#results + 1], over[#over + 1] = name, entry
      elseif kind == 'M' then
        call('HDEL', META, 'add:' .. name)
        over[#over + 1] = entry
      else
        others[#others + 1] = entry
      end
    end
    -- First, because what follows may keep new results of these ids.
    if #results > 0 then
      call('HDEL', RESULTS, unpack(results))
    end
    if #over > 0 then
      call('ZREM', DUE, unpack(over))
    end
    local do_due = #others > 0 and rarely()
    for _, entry in ipairs(others) do
      local kind, name = string.sub(entry, 1, 1), string.sub(entry, 3)
      if kind ~= 'L' or now >= grace then
        -- What cannot be processed is not in the way of what follows.
        local fine, more = pcall(do_due, kind, name)
        if not fine then
          local text = type(more) == 'table' and more.err or tostring(more)
          call('ZREM', DUE, entry)
          mend_types()
          look_everywhere()
          extras().set_aside(entry, text)
          if kind == 'L' then
            extras().forget_member(name)
          end
        elseif more then
          break
        end
      end
    end
    first = call('ZRANGE', DUE, 0, 0, 'WITHSCORES')
  end
  if meta[1] and now - (bounded(meta[18], 0, now) or 0) > 1000 then
    local fine, text = pcall(extras().sweep, false)
    if not fine then
      mend_types()
      extras().set_aside('sweep', type(text) == 'table' and text.err or tostring(text))
    end
  end
  -- Leases that are over but in grace are looked at again when it ends.
  local soonest = math.max(tonumber(first[2]) or now + lease, math.min(grace, now + lease))
  send_told()
  -- Jobs are waited for: with few members, each comes at once; of many, one or few do.
  local spread = 100
  if first[1] and string.find('DATEPCS', string.sub(first[1], 1, 1), 1, true) then
    spread = math.min(100, 2 * call('SCARD', MEMBERS))
  end
  return math.max(0, soonest - now), spread
end
