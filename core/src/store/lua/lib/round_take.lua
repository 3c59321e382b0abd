-- Takes plain jobs for a plain worker, when no other kind of job waits.
local keys = require('keys')
local limits = require('limits')
local meta = require('meta')
local record_flags = require('record_flags')
local script = require('script')
local admission = lazy('admission')
local paces = lazy('paces')
local tombstones = lazy('tombstones')
local call = redis.call
local byte = string.byte

-- Records of the ids, without dead entries and jobs whose resource another job has.
local function read(ids)
  script.in_hand[1] = ids
  local records = call('HMGET', keys.jobs, unpack(ids))
  local all, careful = meta.tombstones == 0, false
  for i = 1, #records do
    local found = records[i]
    if not found then
      all = false
    elseif (byte(found) or 0) % record_flags.TIMED >= record_flags.CAREFUL then
      careful = true
    end
  end
  if not all then
    ids, records = tombstones().living(ids, records)
  end
  if careful then
    ids, records = admission().admit(ids, records)
  end
  return ids, records
end

-- Takes up to `credit` jobs, including those that the member was assigned before. Returns ids, records, and whether `ready:0` is empty now.
local function take(ids, records, credit)
  local popped, empty = 0, false
  local want = math.min(credit, meta.move_limit)
  local at_once = want > limits.FEW and paces().at_once(want) or want
  while #ids < want and popped < limits.LOOKED_AT and not empty do
    local asked = math.min(want - #ids, at_once)
    local some = call('LPOP', keys.ready, asked) or {}
    popped = popped + #some
    empty = #some < asked
    if #some > 0 then
      local found
      local asked_for = #some
      some, found = read(some)
      if #some < asked_for then
        popped = popped + paces().extra(asked_for - #some)
      end
      if #ids == 0 then
        -- The common case, without copying.
        ids, records = some, found
      else
        for i = 1, #found do
          ids[#ids + 1], records[#records + 1] = some[i], found[i]
        end
      end
    end
  end
  if empty and meta.tombstones > 0 and call('EXISTS', keys.ready) == 0 then
    tombstones().forget()
  end
  return ids, records, empty
end

return take
