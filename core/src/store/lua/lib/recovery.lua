-- Redis does not undo the changes of a script before an error. So after an error, changes of `meta` are still written; jobs that had been removed
-- from their queues are added to `stray`, so that the sweep requeues them; and keys of a wrong type, which would cause the error in each call, are
-- removed.
local keys = require('keys')
local script = require('script')
local call = redis.call
local recovery = {}

-- If there are many keys of a kind, only so many are checked.
local SAMPLE = 200
local MAX_NOTES, MAX_TEXT, MAX_NAME = 1000, 500, 300
-- The longest value in a hash that Redis packs is one byte shorter.
local UNPACKED = string.rep('-', 65)

local KINDS = {
  damaged = 'hash', jobs = 'hash', owner = 'hash', ['ready:0'] = 'list', tombstones = 'hash', load = 'zset', due = 'zset', members = 'set',
  failed = 'hash', failed_at = 'zset', results = 'hash', waiters = 'hash', delayed = 'zset', blocked = 'set', resources = 'hash', stopping = 'hash',
  unique = 'hash', progress = 'hash', tasks = 'set', queues = 'zset', index = 'zset', paused = 'set', listeners = 'set', watchers = 'set',
  unreported = 'hash', unread = 'hash', stray = 'set', broadcasts = 'list', schedules = 'hash', schedule_jobs = 'hash',
  schedule_ids = 'zset', schedule_times = 'zset', limits = 'hash', limit_times = 'zset', limit_turns = 'hash', stopping_limits = 'hash',
  group_waiting = 'hash',
  waits = 'hash', uses = 'hash', outputs = 'hash', settling = 'list', failed_nodes = 'hash', flows = 'hash', stages = 'hash',
  flow_answers = 'hash', orders = 'hash', completed = 'hash', completed_at = 'zset', completed_until = 'zset', logs = 'hash',
  metrics = 'hash', metric_minutes = 'zset',
  events = 'stream', ['blocked:'] = 'zset', ['ready:0:'] = 'zset',
}
local KINDS_OF_MEMBER = { member = 'hash', active = 'set', inbox = 'stream', ephemeral = 'set', assigned = 'string' }

local damaged = keys.prefix .. 'damaged'

local function note(name, text)
  if call('HLEN', damaged) < MAX_NOTES then
    call('HSET', damaged, string.sub(name, 1, MAX_NAME), string.sub(text, 1, MAX_TEXT))
  end
end

local function check(key, kind)
  local is = call('TYPE', key).ok
  if is ~= kind and is ~= 'none' then
    call('UNLINK', key)
    note(string.sub(key, #keys.prefix + 1), 'it was a ' .. is .. ', not a ' .. kind .. ', and was removed')
  end
end

local function check_member(inc)
  for part, kind in pairs(KINDS_OF_MEMBER) do
    check(keys.of(part, inc), kind)
  end
  local name, group, pid, host = unpack(call('HMGET', keys.of('member', inc), 'name', 'group', 'pid', 'host'))
  check(keys.of('listeners', 'n:' .. (name or '')), 'set')
  check(keys.of('listeners', 'g:' .. (group or '')), 'set')
  check(keys.of('listeners', 'p:' .. (pid or '') .. '@' .. (host or '')), 'set')
end

-- Keys of nodes, of flows and of those that are being stored, by the hash that has their names.
local KINDS_OF_FLOWS = {
  waits = { inputs = 'hash' }, uses = { after = 'list' }, flows = { flow = 'hash', flow_edges = 'hash' }, stages = { stage = 'hash' },
}

local function check_nodes()
  for hash, parts in pairs(KINDS_OF_FLOWS) do
    for _, field in ipairs(call('HRANDFIELD', keys.prefix .. hash, SAMPLE)) do
      for part, kind in pairs(parts) do
        check(keys.of(part, field), kind)
      end
    end
  end
end

-- Those of a queue in which groups take turns.
local function check_turns(priority, task)
  local queue = priority .. ':' .. task
  check(keys.of('turns', queue), 'zset')
  check(keys.of('weights', queue), 'hash')
  for _, group in ipairs(call('ZRANDMEMBER', keys.of('turns', queue), SAMPLE)) do
    check(keys.of('group', string.format('%s:%d:%s:%s', priority, #task, task, group)), 'zset')
  end
end

-- Removes keys of this cluster whose type is not the one that scripts write.
function recovery.mend_types()
  check(damaged, 'hash')
  for part, kind in pairs(KINDS) do
    check(keys.prefix .. part, kind)
  end
  local members = call('SRANDMEMBER', keys.members, SAMPLE)
  members[#members + 1] = ARGV[1]
  for _, inc in ipairs(members) do
    check_member(inc)
  end
  for _, task in ipairs(call('SRANDMEMBER', keys.prefix .. 'tasks', SAMPLE)) do
    check(keys.of('load', task), 'zset')
    check(keys.of('queues', task), 'zset')
  end
  for _, entry in ipairs(call('ZRANDMEMBER', keys.prefix .. 'index', SAMPLE)) do
    local priority, task = string.match(entry, '^(-?%d+)%*(.*)$')
    if priority then
      check_turns(priority, task)
    else
      check(keys.of('ready', string.match(entry, '^(-?[1-9]%d*):$') or entry), 'zset')
    end
  end
  for hash, part in pairs({ resources = 'blocked', unique = 'unique', limit_turns = 'limited' }) do
    for _, field in ipairs(call('HRANDFIELD', keys.prefix .. hash, SAMPLE)) do
      check(keys.of(part, field), 'zset')
      if hash == 'limit_turns' then
        check(keys.of('limit_users', field), 'set')
      end
    end
  end
  check_nodes()
  for _, id in ipairs(call('HRANDFIELD', keys.prefix .. 'logs', SAMPLE)) do
    check(keys.of('log', id), 'list')
  end
  for _, minute in ipairs(call('ZRANGE', keys.prefix .. 'metric_minutes', 0, SAMPLE)) do
    check(keys.of('metrics', minute), 'hash')
  end
  for _, key in ipairs({ keys.jobs, keys.owner, keys.results }) do
    call('HSETNX', key, '', UNPACKED)
  end
end

-- Schedules a sweep over everything, starting with the jobs in hand.
function recovery.look_everywhere()
  for i, ids in ipairs(script.in_hand) do
    for from = 1, #ids, 1000 do
      call('SADD', keys.prefix .. 'stray', unpack(ids, from, math.min(#ids, from + 999)))
    end
    script.in_hand[i] = nil
  end
  call('HSET', keys.meta, 'sweep', 'j0')
  call('ZADD', keys.due, 1, 'S:')
end

local function count_damage()
  local before = tonumber(call('HGET', keys.meta, 'damaged'))
  call('HSET', keys.meta, 'damaged', (before and before >= 0 and before < 9e15 and before or 0) + 1)
end

-- A `meta` that libswarm did not write is not repaired.
local function is_ours()
  local readable, protocol = pcall(call, 'HGET', keys.meta, 'protocol')
  return readable and type(protocol) == 'string'
end

local function text_of(failure)
  local text = type(failure) == 'table' and failure.err or tostring(failure)
  -- Errors of Lua have no code.
  return string.find(text, '^%u+ ') and text or 'ERR ' .. text
end

-- Handles an error of the command. Returns its reply.
function recovery.recover(failure)
  local text = script.refused or text_of(failure)
  if script.refused or READ_ONLY or string.find(text, '^OOM') or not is_ours() then
    return redis.error_reply(text)
  end
  for _, name in ipairs({ 'events', 'metrics' }) do
    if script.flush[name] then
      pcall(script.flush[name])
    end
  end
  if #script.changes > 0 then
    call('HSET', keys.meta, unpack(script.changes))
  end
  recovery.mend_types()
  recovery.look_everywhere()
  count_damage()
  note('script:' .. COMMAND, text)
  return script.answer or redis.error_reply(text)
end

return recovery
