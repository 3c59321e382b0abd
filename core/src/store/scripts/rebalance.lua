-- A worker that joined asks for its share: those that hold more than the mean are asked to let go of what is over it. They stop those
-- jobs and give them back, and the least loaded workers are given them.
-- KEYS  the fixed keys
-- ARGV  incarnation of the worker that joined
-- Returns  1 if the load is not even yet: call again after a while; else 0
local X = extras()
local takes = {}
for _, task in ipairs(X.member(ARGV[1]).tasks) do
  takes[task] = true
end
local workers, total = {}, 0
for _, inc in ipairs(call('SMEMBERS', MEMBERS)) do
  local member = call('HMGET', key_of('member', inc), 'role', 'moved')
  if member[1] == 'worker' then
    local active = call('SCARD', key_of('active', inc))
    workers[#workers + 1] = { inc = inc, active = active, moved = tonumber(member[2]) or 0 }
    total = total + active
  end
end
local mean = total / math.max(1, #workers)
-- What those below the mean can take.
local room = 0
for _, worker in ipairs(workers) do
  local below = math.ceil(mean) - worker.active
  if below > 0 then
    local score = X.score(worker.inc, X.member(worker.inc))
    room = room + math.min(below, score and credit_of(tonumber(score)) or 0)
  end
end
-- One call moves no more than another would.
room = math.min(room, 1000)
local uneven = false
for _, worker in ipairs(workers) do
  local excess = math.min(worker.active - math.ceil(mean), room, 1000)
  if excess > 0 then
    uneven = true
    -- One that was asked a moment ago may still be stopping jobs.
    if now - worker.moved > 5000 then
      local ids = call('SRANDMEMBER', key_of('active', worker.inc), excess)
      local owners, records = call('HMGET', OWNER, unpack(ids)), call('HMGET', JOBS, unpack(ids))
      local list = {}
      for i, id in ipairs(ids) do
        local fence = string.match(owners[i] or '', '^(%d+):[^:]+$')
        if fence and records[i] and takes[X.of(records[i]).k] then
          list[#list + 1] = tonumber(fence)
          list[#list + 1] = id
        end
      end
      if #list > 0 then
        call('XADD', key_of('inbox', worker.inc), '*', 'm', cmsgpack.pack(list))
        call('HSET', key_of('member', worker.inc), 'moved', now)
        room = room - #list / 2
      end
    end
  end
end
return uneven and 1 or 0
