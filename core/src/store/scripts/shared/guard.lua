-- Runs main, which is the script. Redis does not undo what a script did before an error. So what main has changed of the meta record is written all
-- the same, jobs that it had taken out of their places are noted in STRAY, for sweep.lua to put back, and keys of a wrong type, of which an error
-- comes again with each call, are removed.
--
-- Set before this: changes, of the meta record; in_hand, lists of ids; answered, what main answers whatever fails after it was set.

-- Keys of this cluster that are not of the type that scripts write: removed and counted. Of those that are many, some are looked at.
mend_types = function()
  local call = redis.call
  local prefix = string.sub(KEYS[1], 1, -5)
  local removed = 0
  local function check(key, kind)
    local is = call('TYPE', key).ok
    if is ~= kind and is ~= 'none' then
      call('UNLINK', key)
      removed = removed + 1
      if call('HLEN', prefix .. 'damaged') < 1000 then
        call('HSET', prefix .. 'damaged', string.sub(key, #prefix + 1, #prefix + 300), 'it was a ' .. is .. ', not a ' .. kind .. ', and was removed')
      end
    end
  end
  local kinds = {
    damaged = 'hash', jobs = 'hash', owner = 'hash', ['ready:0'] = 'list', tombstones = 'hash', load = 'zset', due = 'zset', members = 'set',
    failed = 'hash', failed_at = 'zset', results = 'hash', waiters = 'hash', delayed = 'zset', blocked = 'set', resources = 'hash', stopping = 'hash',
    similar = 'hash', progress = 'hash', tasks = 'set', queues = 'zset', index = 'zset', paused = 'set', listeners = 'set', watchers = 'set',
    deaf = 'hash', unread = 'hash', stray = 'set', ['blocked:'] = 'zset', ['ready:0:'] = 'zset',
  }
  check(prefix .. 'damaged', 'hash')
  for part, kind in pairs(kinds) do
    check(prefix .. part, kind)
  end
  local members = call('SRANDMEMBER', prefix .. 'members', 200)
  members[#members + 1] = ARGV[1]
  for _, inc in ipairs(members) do
    for part, kind in pairs({ member = 'hash', active = 'set', inbox = 'stream', ephemeral = 'set', given = 'string' }) do
      check(prefix .. part .. ':' .. inc, kind)
    end
    local row = call('HMGET', prefix .. 'member:' .. inc, 'name', 'group', 'pid', 'host')
    check(prefix .. 'listeners:n:' .. (row[1] or ''), 'set')
    check(prefix .. 'listeners:g:' .. (row[2] or ''), 'set')
    check(prefix .. 'listeners:p:' .. (row[3] or '') .. '@' .. (row[4] or ''), 'set')
  end
  for _, task in ipairs(call('SRANDMEMBER', prefix .. 'tasks', 200)) do
    check(prefix .. 'load:' .. task, 'zset')
    check(prefix .. 'queues:' .. task, 'zset')
  end
  for _, entry in ipairs(call('ZRANDMEMBER', prefix .. 'index', 200)) do
    check(prefix .. 'ready:' .. (string.match(entry, '^(-?[1-9]%d*):$') or entry), 'zset')
  end
  for name, part in pairs({ resources = 'blocked:', similar = 'similar:' }) do
    for _, field in ipairs(call('HRANDFIELD', prefix .. name, 200)) do
      check(prefix .. part .. field, 'zset')
    end
  end
  for _, key in ipairs({ 'jobs', 'owner', 'results' }) do
    call('HSETNX', prefix .. key, '', string.rep('-', 65))
  end
  return removed
end

-- Has the sweep look at everything soon, and first of all at these.
look_everywhere = function()
  local prefix = string.sub(KEYS[1], 1, -5)
  for i = 1, #in_hand do
    local ids = in_hand[i]
    for from = 1, #ids, 1000 do
      redis.call('SADD', prefix .. 'stray', unpack(ids, from, math.min(#ids, from + 999)))
    end
    in_hand[i] = nil
  end
  redis.call('HSET', KEYS[1], 'sweep', 'j0')
  redis.call('ZADD', KEYS[7], 1, 'S:')
end

local done, answer = pcall(main)
if done then
  return answer
end
local text = type(answer) == 'table' and answer.err or tostring(answer)
if not string.find(text, '^%u+ ') then
  -- An error of Lua has no code of its own.
  text = 'ERR ' .. text
end
-- A meta record that is none of ours is not for us to mend.
local ours, protocol = pcall(redis.call, 'HGET', KEYS[1], 'protocol')
if not ours or type(protocol) ~= 'string' or string.find(text, '^OOM') then
  return redis.error_reply(text)
end
if #changes > 0 then
  redis.call('HSET', KEYS[1], unpack(changes))
end
mend_types()
look_everywhere()
local before = tonumber(redis.call('HGET', KEYS[1], 'damaged'))
redis.call('HSET', KEYS[1], 'damaged', (before and before >= 0 and before < 9e15 and before or 0) + 1)
if redis.call('HLEN', string.sub(KEYS[1], 1, -5) .. 'damaged') < 1000 then
  redis.call('HSET', string.sub(KEYS[1], 1, -5) .. 'damaged', 'script:' .. NAME, string.sub(text, 1, 500))
end
if answered then
  return answered
end
return redis.error_reply(text)
