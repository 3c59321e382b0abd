-- A worker has joined: the others are asked to let go of what they hold beyond the mean. They stop those jobs and give them back, and the
-- least loaded worker is given them.
-- KEYS  the fixed keys
-- ARGV  incarnation of the worker that joined
-- Returns  how many jobs are to move
local X = extras()
local inc = ARGV[1]
local takes = {}
local joiner = X.member(inc)
for _, task in ipairs(joiner.tasks) do
  takes[task] = true
end
local workers, total = {}, 0
for _, member in ipairs(call('SMEMBERS', MEMBERS)) do
  if call('HGET', key_of('member', member), 'role') == 'worker' then
    local number = call('SCARD', key_of('held', member))
    workers[#workers + 1] = { inc = member, held = number }
    total = total + number
  end
end
local mean = math.ceil(total / math.max(1, #workers))
local score = X.score(inc, joiner)
local left = math.min(mean - call('SCARD', key_of('held', inc)), score and credit_of(tonumber(score)) or 0, 1000)
local moves = 0
for _, worker in ipairs(workers) do
  local excess = math.min(worker.held - mean, left)
  if worker.inc ~= inc and excess > 0 then
    local ids = call('SRANDMEMBER', key_of('held', worker.inc), excess)
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
      moves = moves + #list / 2
      left = left - #list / 2
    end
  end
end
return moves
