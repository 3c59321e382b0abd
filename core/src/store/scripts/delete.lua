-- Deletes jobs whatever their state. An active job keeps its worker's slot until the worker says that it stopped.
-- KEYS  the fixed keys
-- ARGV  ids (msgpack)
-- Returns  a list of 1 (it existed) or 0, in the order of the ids
local answers = extras().delete_jobs(cmsgpack.unpack(ARGV[1]))
send_told()
write_meta()
return answers
