-- All that a cluster stores at one moment, read past the scripts that wrote it, and what was sent to members since the last reading.
-- KEYS  meta
-- Returns  records, owners, delayed with times, blocked, resources, failed, entries of the queues, tombstones, due entries, members, load of each
--       task, counters, inboxes, ids with results, notes of damage, jobs by unique key, what is wrong with groups
local call = redis.call
local prefix = string.sub(KEYS[1], 1, -5)
local function entries(key)
  local kind = call('TYPE', key).ok
  if kind == 'list' then
    return call('LRANGE', key, 0, -1)
  elseif kind == 'zset' then
    return call('ZRANGE', key, 0, -1)
  elseif kind == 'set' then
    return call('SMEMBERS', key)
  elseif kind == 'hash' then
    return call('HGETALL', key)
  end
  return {}
end
local queues, loads, inboxes = {}, {}, {}
local keys_of_queues = call('KEYS', prefix .. 'ready:*')
for _, key in ipairs(call('KEYS', prefix .. 'group:*')) do
  keys_of_queues[#keys_of_queues + 1] = key
end
for _, key in ipairs(keys_of_queues) do
  local orders = {}
  if call('TYPE', key).ok == 'zset' then
    local scored = call('ZRANGE', key, 0, -1, 'WITHSCORES')
    for i = 2, #scored, 2 do
      orders[#orders + 1] = scored[i]
    end
  end
  queues[#queues + 1] = { string.sub(key, #prefix + 7), { entries(key), orders } }
end
-- What is wrong with groups: one with jobs has turns, and their number is known.
local wrong, waiting = {}, {}
for _, key in ipairs(call('KEYS', prefix .. 'group:*')) do
  local priority, length, rest = string.match(string.sub(key, #prefix + 7), '^(-?%d+):(%d+):(.*)$')
  local task, group = string.sub(rest, 1, tonumber(length)), string.sub(rest, tonumber(length) + 2)
  local entry = priority .. '*' .. task
  waiting[entry] = (waiting[entry] or 0) + call('ZCARD', key)
  if not call('ZSCORE', prefix .. 'turns:' .. priority .. ':' .. task, group) then
    wrong[#wrong + 1] = 'the group of ' .. key .. ' has no turns'
  elseif not call('ZSCORE', prefix .. 'index', entry) then
    wrong[#wrong + 1] = entry .. ' is not in the index'
  end
end
local numbers = call('HGETALL', prefix .. 'group_waiting')
for i = 1, #numbers, 2 do
  local entry, number = numbers[i], tonumber(numbers[i + 1])
  if number ~= waiting[entry] then
    wrong[#wrong + 1] = string.format('%s waiting in %s, not %s', tostring(waiting[entry]), entry, number)
  end
  waiting[entry] = nil
end
for entry in pairs(waiting) do
  wrong[#wrong + 1] = 'not counted: ' .. entry
end
for _, key in ipairs(call('KEYS', prefix .. 'load*')) do
  loads[#loads + 1] = { string.sub(key, #prefix + 6), call('ZRANGE', key, 0, -1, 'WITHSCORES') }
end
for _, inc in ipairs(call('SMEMBERS', prefix .. 'members')) do
  local inbox = prefix .. 'inbox:' .. inc
  local sent = {}
  for _, entry in ipairs(call('XRANGE', inbox, '-', '+')) do
    for i = 1, #entry[2], 2 do
      sent[#sent + 1] = { entry[2][i], entry[2][i + 1] }
    end
  end
  call('XTRIM', inbox, 'MAXLEN', 0)
  inboxes[#inboxes + 1] = { inc, sent }
end
local tombstones = entries(prefix .. 'tombstones')
if call('TYPE', prefix .. 'tombstones').ok == 'set' then
  local counted = {}
  for _, id in ipairs(tombstones) do
    counted[#counted + 1], counted[#counted + 2] = id, 1
  end
  tombstones = counted
end
return {
  call('HGETALL', prefix .. 'jobs'), call('HGETALL', prefix .. 'owner'), call('ZRANGE', prefix .. 'delayed', 0, -1, 'WITHSCORES'),
  call('SMEMBERS', prefix .. 'blocked'), call('HGETALL', prefix .. 'resources'), call('ZRANGE', prefix .. 'failed_at', 0, -1), queues,
  tombstones, call('ZRANGE', prefix .. 'due', 0, -1, 'WITHSCORES'), call('SMEMBERS', prefix .. 'members'), loads,
  call('HMGET', KEYS[1], 'added', 'completed', 'failures', 'deleted', 'crashes', 'retries', 'revived', 'now', 'grace', 'offset',
    'damaged'), inboxes,
  call('HKEYS', prefix .. 'results'), call('HGETALL', prefix .. 'damaged'), call('HGETALL', prefix .. 'unique'), wrong,
}
