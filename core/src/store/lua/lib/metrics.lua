-- Counts ends of executions and of jobs by task: in `metrics:<minute>`, where minutes are those of the server's clock since 1970. A field is the letter
-- of the outcome, the buckets of the wait and of the run as characters, and the task; see `core/src/store/codec/metrics.rs`. metric_folding.lua adds
-- these counts to the slots in `metrics`.
local clock = require('clock')
local keys = require('keys')
local script = require('script')
local damage = lazy('damage')
local extras = lazy('extras')
local metric_tasks = lazy('metric_tasks')
local rare_keys = lazy('rare_keys')
local record = lazy('record')
local call = redis.call

local metrics = {
  COMPLETED = 'c',
  FAILED = 'f',
  -- An attempt failed, and another follows.
  RETRIED = 'r',
  -- An execution ended, and its job waits again.
  RELEASED = 'l',
  DELETED = 'd',
  MINUTE = 60000,
}
-- Buckets of an end that was not measured.
local UNMEASURED = '00'
-- Fields of a minute; if there are more, new ones are counted with the other tasks, unmeasured.
local MOST = 10000

-- By field.
local counts, any = {}, false

local function add(field, number)
  counts[field], any = (counts[field] or 0) + number, true
end

-- Ends of a task that no worker has measured.
function metrics.count(outcome, task, number)
  add(outcome .. UNMEASURED .. task, number or 1)
end

-- The same, with the task of a record.
function metrics.count_job(outcome, found)
  metrics.count(outcome, record().has_extras(found) and extras().of(found).task or '')
end

-- What a worker measured in a round: {for each finished job 2 bytes with the position of its field, or 0; field, how many, ...}. Jobs at the rejected
-- positions are not counted.
function metrics.measured(list, rejected)
  local positions = list[1]
  for _, position in ipairs(rejected) do
    local high, low = string.byte(positions, 2 * math.abs(position) - 1, 2 * math.abs(position))
    local field = low and high * 256 + low or 0
    if field > 0 and list[2 * field + 1] then
      list[2 * field + 1] = list[2 * field + 1] - 1
    end
  end
  for i = 2, #list, 2 do
    if list[i + 1] > 0 then
      add(list[i], list[i + 1])
    end
  end
end

-- Fields that are new in their minute: their tasks get indexes. Those of tasks without one, or beyond the limit, are counted with the other tasks.
local function limit(key, new, size)
  local tasks = metric_tasks().read(call('HGET', rare_keys().metrics, 'tasks'))
  for _, field in ipairs(new) do
    local task = string.sub(field, 4)
    if size > MOST or metric_tasks().index(tasks, task) == 0 and task ~= metric_tasks().OTHER then
      local measured = size > MOST and string.sub(field, 1, 1) .. UNMEASURED or string.sub(field, 1, 3)
      call('HDEL', key, field)
      call('HINCRBY', key, measured .. metric_tasks().OTHER, counts[field])
    end
  end
  metric_tasks().write(tasks)
end

function script.flush.metrics()
  if not any then
    return
  end
  local minute = string.format('%.0f', math.floor(clock.wall / metrics.MINUTE))
  local key, new = keys.of('metrics', minute), {}
  for field, number in pairs(counts) do
    local answer = redis.pcall('HINCRBY', key, field, number)
    if type(answer) == 'table' then
      -- Another program has changed it.
      call('UNLINK', key)
      damage().note('metrics:' .. minute, damage().text_of(answer))
      answer = call('HINCRBY', key, field, number)
    end
    if answer == number then
      new[#new + 1] = field
    end
  end
  if #new > 0 then
    local size = call('HLEN', key)
    if size <= #new then
      call('ZADD', rare_keys().metric_minutes, minute, minute)
    end
    limit(key, new, size)
  end
  counts, any = {}, false
end

return metrics
