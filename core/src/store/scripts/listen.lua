-- A member is to hear messages, to be told who comes and goes, says something of itself, or asks which of some others are gone.
-- KEYS  the fixed keys
-- ARGV  incarnation, 'listen' | 'watch' | 'data' | 'absent', the data as JSON or the others (msgpack array)
-- Returns  1, or 0 if the member is unknown
if not call('ZSCORE', DUE, 'L:' .. ARGV[1]) then
  return 0
end
if ARGV[2] == 'data' then
  call('HSET', key_of('member', ARGV[1]), 'data', ARGV[3])
else
  extras()[ARGV[2]](ARGV[1], ARGV[3])
end
write_meta()
return 1
