-- The record of a job: flags, [crashes], [length (2), resource], [result ttl in s (4), length (1), requester],
-- [failed attempts (1), length (2), extras (msgpack)], payload, [time from which it waits, on the cluster's clock in ms (6)]. Of a damaged record, the
-- readable part is used; its worker fails the job.
local record_flags = require('record_flags')
local record = {}
-- Bytes of the fields before a result's requester: its time to live and the length of the name.
local RESULT_HEAD = 5
-- Bytes of the time from which a job waits.
local TIME = 6

function record.flags(text)
  return string.byte(text, 1) or 0
end

-- Whether the job has more than a payload, crashes and a wanted result.
function record.has_extras(text)
  return (string.byte(text, 1) or 0) % record_flags.TIMED >= record_flags.EXTRAS
end

-- Where the part after the flags and crashes begins.
function record.after_crashes(text)
  return bit.band(record.flags(text), record_flags.CRASHES) ~= 0 and 3 or 2
end

-- The length of the part with the resource.
function record.resource_length(text, at)
  if bit.band(record.flags(text), record_flags.RESOURCE) == 0 or #text < at + 1 then
    return 0
  end
  return 2 + struct.unpack('>I2', text, at)
end

-- The ttl in seconds and the requester ('' = none); nil if no result is kept.
function record.result_of(text)
  if bit.band(record.flags(text), record_flags.RESULT) == 0 then
    return nil
  end
  local at = record.after_crashes(text)
  at = at + record.resource_length(text, at)
  if #text < at + RESULT_HEAD - 1 then
    return nil
  end
  local ttl, length = struct.unpack('>I4B', text, at)
  return ttl, string.sub(text, at + RESULT_HEAD, at + RESULT_HEAD - 1 + length)
end

-- The record of a job that keeps no result, as that of one that does.
function record.with_result(text, ttl, requester)
  local at = record.after_crashes(text)
  at = at + record.resource_length(text, at)
  local flags = string.char(bit.bor(record.flags(text), record_flags.RESULT))
  return flags .. string.sub(text, 2, at - 1) .. struct.pack('>I4B', ttl, #requester) .. requester .. string.sub(text, at)
end

-- The time from which the job waits: when it was added or due to start, in ms; nil if it is not known.
function record.waits_from(text)
  if record.flags(text) < record_flags.TIMED or #text < 1 + TIME then
    return nil
  end
  local high, low = struct.unpack('>I2I4', text, #text - TIME + 1)
  return high * 4294967296 + low
end

-- The record with the time from which the job waits, in ms, which replaces one before.
function record.with_time(text, time)
  local flags, last = record.flags(text), #text
  if flags >= record_flags.TIMED then
    flags, last = flags - record_flags.TIMED, math.max(1, last - TIME)
  end
  local high = math.floor(time / 4294967296)
  return string.char(flags + record_flags.TIMED) .. string.sub(text, 2, last) .. struct.pack('>I2I4', high, time - high * 4294967296)
end

-- Where the part with the extras begins, behind the result's.
function record.after_result(text, at)
  if bit.band(record.flags(text), record_flags.RESULT) == 0 then
    return at
  end
  return at + RESULT_HEAD + string.byte(text, at + RESULT_HEAD - 1)
end

return record
