-- A member goes: its jobs are given back, uncharged, and it is forgotten.
-- KEYS  the fixed keys
-- ARGV  incarnation
-- Returns  1 when it is gone, 0 if more jobs are to be given back: call again
if not call('ZSCORE', DUE, 'L:' .. ARGV[1]) then
  return 1
end
local gone = remove_member(ARGV[1], false)
send_told()
write_meta()
return gone and 1 or 0
