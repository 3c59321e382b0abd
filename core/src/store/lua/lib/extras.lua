-- Options that only some jobs have: priority, task, resource, retries, timeouts and the like. Jobs with only a resource are common, and are handled
-- without decoding: their flags have RESOURCE, but none of NEEDS_DECODING.
local limits = require('limits')
local record = require('record')
local record_flags = require('record_flags')
local byte, band, sub = string.byte, bit.band, string.sub

-- Names in the msgpack map of a record.
local WIRE = {
  PRIORITY = 'p',
  TASK = 'k',
  UNIQUE = 'u',
  EPHEMERAL_OF = 'o',
  RETRIES = 'n',
  ASSIGN_TIMEOUT = 'a',
  RUN_TIMEOUT = 't',
  TOTAL_TIMEOUT = 'e',
  CHECKPOINT = 'c',
  SCHEDULE = 'y',
  THEN_NEXT = 'z',
  LIMITS = 'l',
  -- {group, weight or 0}
  GROUP = 'g',
  -- {node, on_failure, flow or '', 1 if other jobs wait for it}
  NODE = 'd',
  KEEP = 'r',
  LOGGED = 'j',
}
local MAX_RETRIES = 200
local MAX_LIMITS, MAX_COST = 4, 1000000
-- Flags of records whose options do not follow the flags.
local LONG_HEAD = record_flags.RESULT + record_flags.CRASHES + record_flags.SUSPECT + record_flags.RESOURCE
-- Flags that are kept when crashes are written: all but SUSPECT.
local ALL_BUT_SUSPECT = 223

-- Places in the unique key of a record: the key, what an add of another job with it does, until when the job has it (0: it ends, -1: it starts, or
-- ms), and for a debounced job its pause, the longest one, and when it was first added, in ms.
local KEY, ON_CONFLICT, UNTIL, DEBOUNCE, MAX_WAIT, FIRST = 1, 2, 3, 4, 5, 6

local extras = {
  NEEDS_DECODING = record_flags.EXTRAS + record_flags.CAREFUL + record_flags.SUSPECT,
  DROP = 'd',
  REPLACE = 'r',
  ATTACH = 'a',
  LATEST = 'l',
  UNTIL_END = 0,
  UNTIL_START = -1,
  -- The longest time in ms for which a job has its unique key.
  LONGEST_UNIQUE = limits.YEAR,
  MAX_WEIGHT = 1000,
}
local CONFLICTS = { [extras.DROP] = true, [extras.REPLACE] = true, [extras.ATTACH] = true, [extras.LATEST] = true }

-- The resource, if the record has one.
function extras.resource_of(text)
  local at = record.after_crashes(text)
  local length = record.resource_length(text, at)
  return length > 2 and #text >= at + length - 1 and sub(text, at + 2, at + length - 1) or nil
end

function extras.crashes_of(text)
  return band(record.flags(text), record_flags.CRASHES) ~= 0 and byte(text, 2) or 0
end

function extras.with_crashes(text, crashes, suspect)
  local flags = bit.bor(band(record.flags(text), ALL_BUT_SUSPECT), record_flags.CRASHES, suspect and record_flags.SUSPECT or 0)
  return string.char(flags, crashes) .. sub(text, record.after_crashes(text))
end

function extras.is_name(value)
  return value == nil or type(value) == 'string' and #value > 0 and #value <= 256 and not string.find(value, '%c')
end

local is_name = extras.is_name

local function is_whole(value, least, most)
  return value == nil or type(value) == 'number' and value >= least and value <= most and value % 1 == 0
end

-- Reads names and costs of limits in turn. Returns {name, cost} of each, nil if there are none, false if they cannot be read.
local function limits_of(list)
  if list == nil then
    return nil
  elseif type(list) ~= 'table' or #list == 0 or #list % 2 ~= 0 or #list > 2 * MAX_LIMITS then
    return false
  end
  local found = {}
  for i = 1, #list, 2 do
    if list[i] == nil or not is_name(list[i]) or not is_whole(list[i + 1], 1, MAX_COST) then
      return false
    end
    found[#found + 1] = { name = list[i], cost = list[i + 1] }
  end
  return found
end

local function is_unique_key(value)
  return value == nil
    or type(value) == 'table'
      and value[KEY]
      and is_name(value[KEY])
      and CONFLICTS[value[ON_CONFLICT]]
      and value[UNTIL]
      and is_whole(value[UNTIL], extras.UNTIL_START, extras.LONGEST_UNIQUE)
      and is_whole(value[DEBOUNCE], 1, limits.YEAR)
      and is_whole(value[MAX_WAIT], 1, 10 * limits.YEAR)
      and is_whole(value[FIRST], 0, limits.COUNTER)
end

-- A node has no colon: lists of dependents separate it from an id.
local function is_node(value)
  return value == nil
    or type(value) == 'table' and is_name(value[1]) and value[1] ~= nil and not string.find(value[1], ':', 1, true) and type(value[3]) == 'string'
end

local function is_group(value)
  return value == nil or type(value) == 'table' and value[1] and is_name(value[1]) and value[2] and is_whole(value[2], 0, extras.MAX_WEIGHT)
end

local function is_valid(map)
  return is_name(map[WIRE.TASK])
    and is_group(map[WIRE.GROUP])
    and is_unique_key(map[WIRE.UNIQUE])
    and is_name(map[WIRE.EPHEMERAL_OF])
    and is_name(map[WIRE.SCHEDULE])
    and is_node(map[WIRE.NODE])
    and is_whole(map[WIRE.PRIORITY], -limits.PRIORITY, limits.PRIORITY)
    and is_whole(map[WIRE.RETRIES], 0, MAX_RETRIES)
    and is_whole(map[WIRE.ASSIGN_TIMEOUT], 1, limits.YEAR)
    and is_whole(map[WIRE.RUN_TIMEOUT], 1, limits.YEAR)
    and is_whole(map[WIRE.TOTAL_TIMEOUT], 1, limits.YEAR)
    and is_whole(map[WIRE.KEEP], 0, 10 * limits.YEAR)
end

-- What records with the same packed options have in common: most jobs of a program have few sets of options.
local options = {}

local function read_options(packed)
  local map = cmsgpack.unpack(packed)
  assert(is_valid(map))
  local unique, node, limits_of_job = map[WIRE.UNIQUE] or {}, map[WIRE.NODE] or {}, limits_of(map[WIRE.LIMITS])
  local group, weight = unpack(map[WIRE.GROUP] or {})
  assert(limits_of_job ~= false)
  return {
    priority = map[WIRE.PRIORITY] or 0,
    task = map[WIRE.TASK] or '',
    ephemeral_of = map[WIRE.EPHEMERAL_OF],
    then_next_of = map[WIRE.THEN_NEXT] == 1 and map[WIRE.SCHEDULE] or nil,
    retries = map[WIRE.RETRIES] or 0,
    assign_timeout = map[WIRE.ASSIGN_TIMEOUT],
    run_timeout = map[WIRE.RUN_TIMEOUT],
    total_timeout = map[WIRE.TOTAL_TIMEOUT],
    limits = limits_of_job,
    group = group,
    weight = weight ~= 0 and weight or 1,
    unique = unique[KEY],
    on_conflict = unique[ON_CONFLICT],
    unique_until = unique[UNTIL],
    debounce = unique[DEBOUNCE],
    max_wait = unique[MAX_WAIT],
    first_added = unique[FIRST],
    node = node[1],
    flow = node[3],
    watched = node[4] == 1,
    keep = map[WIRE.KEEP],
    logged = map[WIRE.LOGGED] == 1,
  }
end

local function options_of(packed)
  local found = options[packed]
  if not found then
    found = { shown = { __index = read_options(packed) } }
    options[packed] = found
  end
  return found
end

-- The start of a node at the end of packed options, where producers write it. No text and no name in the options has these bytes: they are no UTF-8.
local NODE_FOLLOWS = '\161' .. WIRE.NODE .. '\148'
-- The head of a map of up to 15 entries, and that of one whose number of entries has two bytes.
local SMALL_MAP, LONG_MAP = 128, '\222\0'

-- Packed options without the node at their end.
local function without_node(packed, at)
  local first = byte(packed, 1)
  if first > SMALL_MAP and first < SMALL_MAP + 16 then
    return string.char(first - 1) .. sub(packed, 2, at - 1)
  elseif sub(packed, 1, 2) == LONG_MAP and byte(packed, 3) > 0 then
    return LONG_MAP .. string.char(byte(packed, 3) - 1) .. sub(packed, 4, at - 1)
  end
end

-- The options that jobs with different nodes have in common, packed, and the node; nil if the node is not the last option.
local function split_node(packed)
  local at = string.find(packed, NODE_FOLLOWS, 1, true)
  local rest = at and without_node(packed, at)
  if rest then
    local node, more = cmsgpack.unpack(sub(packed, at + 2))
    assert(more == nil and is_node(node))
    return rest, node
  end
end

-- Decodes a record; raises an error if it has values that adding refuses.
local function decode(text)
  local at = record.after_crashes(text)
  local flags, resource = byte(text, 1), extras.resource_of(text)
  local suspect = band(flags, record_flags.SUSPECT) ~= 0
  at = at + record.resource_length(text, at)
  assert(is_name(resource) and (resource or band(flags, record_flags.RESOURCE) == 0))
  if band(flags, record_flags.EXTRAS) == 0 then
    return { priority = 0, task = '', retries = 0, failed = 0, resource = resource, suspect = suspect }
  end
  at = record.after_result(text, at)
  local failed, length = struct.unpack('>BI2', text, at)
  local packed = sub(text, at + 3, at + 2 + length)
  local splits, rest, node = pcall(split_node, packed)
  if splits and rest then
    return setmetatable({
      at = at,
      length = length,
      failed = failed,
      resource = resource,
      suspect = suspect,
      node = node[1],
      flow = node[3],
      watched = node[4] == 1,
    }, options_of(rest).shown)
  end
  local found = options_of(packed)
  local last = found.last
  if last and last.at == at and last.failed == failed and last.resource == resource and last.suspect == suspect then
    return last
  end
  found.last = setmetatable({ at = at, length = length, failed = failed, resource = resource, suspect = suspect }, found.shown)
  return found.last
end

-- The same in the common case, without decoding: a record with options, but without crashes, resource and result, whose options were read before.
local function found_before(text)
  local flags, failed, high, low = byte(text, 1, 4)
  if not low or band(flags, record_flags.EXTRAS) == 0 or band(flags, LONG_HEAD) ~= 0 then
    return nil
  end
  local found = options[sub(text, 5, 4 + high * 256 + low)]
  local last = found and found.last
  return last and last.failed == failed and last.at == 2 and not last.resource and not last.suspect and last or nil
end

local known = {}

-- The extras of a record: priority, task ('' = none), resource, unique (its key) with what belongs to it, ephemeral_of (an incarnation), retries,
-- failed (attempts), timeouts in ms, limits ({name, cost} of each), group, weight, suspect, node, flow, watched (others wait for it), keep
-- (how long it is kept once completed, in ms), logged (it has a log). For a damaged record they are those of a plain job, and
-- `damaged`. Records may share them: they are not changed.
function extras.of(text)
  local extra = known[text] or found_before(text)
  if extra then
    return extra
  end
  local readable, found = true, nil
  if record.has_extras(text) then
    readable, found = pcall(decode, text)
  end
  if not readable or not found then
    found = { priority = 0, task = '', retries = 0, failed = 0, damaged = not readable or text == '' }
  end
  extra = found
  known[text] = extra
  return extra
end

-- The record with another number of failed attempts.
function extras.with_failed(text, extra, failed)
  if not extra.at then
    return text
  end
  return sub(text, 1, extra.at - 1) .. string.char(math.min(failed, 255)) .. sub(text, extra.at + 1)
end

-- The record with another value of one of its extras.
local function with_value(text, extra, name, value)
  local map = cmsgpack.unpack(sub(text, extra.at + 3, extra.at + 2 + extra.length))
  map[name] = value
  local packed = cmsgpack.pack(map)
  return sub(text, 1, extra.at) .. struct.pack('>I2', #packed) .. packed .. sub(text, extra.at + 3 + extra.length)
end

-- The record as that of an ephemeral job of another member.
function extras.with_member(text, extra, inc)
  return with_value(text, extra, WIRE.EPHEMERAL_OF, inc)
end

-- The record with the time at which a debounced job was first added, in ms.
function extras.with_first_added(text, extra, time)
  return with_value(text, extra, WIRE.UNIQUE, { extra.unique, extra.on_conflict, extra.unique_until, extra.debounce, extra.max_wait, time })
end

-- The record with an option, which may have had none; a damaged record as it is.
local function with_option(text, name, value)
  local extra = extras.of(text)
  if extra.damaged then
    return text
  elseif extra.at then
    return with_value(text, extra, name, value)
  end
  local at = record.after_crashes(text)
  at = record.after_result(text, at + record.resource_length(text, at))
  local packed = cmsgpack.pack({ [name] = value })
  local flags = string.char(bit.bor(record.flags(text), record_flags.EXTRAS))
  return flags .. sub(text, 2, at - 1) .. struct.pack('>BI2', 0, #packed) .. packed .. sub(text, at)
end

-- The record with a checkpoint, a JSON text; a damaged record as it is.
function extras.with_checkpoint(text, value)
  return with_option(text, WIRE.CHECKPOINT, value)
end

-- The record of a job that has a log; a damaged record as it is.
function extras.with_log(text)
  return with_option(text, WIRE.LOGGED, 1)
end

-- The record of a job that others wait for.
function extras.with_node(text, node)
  local extra = extras.of(text)
  local old = extra.node and cmsgpack.unpack(sub(text, extra.at + 3, extra.at + 2 + extra.length))[WIRE.NODE]
  return with_option(text, WIRE.NODE, old and { old[1], old[2], old[3], 1 } or { node, 0, '', 1 })
end

return extras
