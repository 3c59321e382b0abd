-- A member goes: its jobs are given back, and it is forgotten.
-- KEYS  the fixed keys
-- ARGV  incarnation, 1 if its process has died: its jobs are charged, as at the end of a lease
-- Returns  1 when it is gone, 0 if more jobs are to be given back: call again
if not call('ZSCORE', DUE, 'L:' .. ARGV[1]) then
  return 1
end
local _, remove_member = rarely()
local gone = remove_member(ARGV[1], ARGV[2] == '1')
if not gone and ARGV[2] ~= '1' then
  -- What is left is given back by the next call: it is not charged, because the lease ended meanwhile.
  local lease = tonumber(call('HGET', key_of('member', ARGV[1]), 'lease')) or 0
  call('ZADD', DUE, 'XX', 'GT', now + lease, 'L:' .. ARGV[1])
end
send_told()
write_meta()
return gone and 1 or 0
