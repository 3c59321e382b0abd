-- The keys of the cluster. The fixed keys come through KEYS, in the order of keys.rs; other names are built from the prefix.
local prefix = string.sub(KEYS[1], 1, -1 - #'meta')
local keys = {
  meta = KEYS[1],
  jobs = KEYS[2],
  owner = KEYS[3],
  ready = KEYS[4],
  tombstones = KEYS[5],
  load = KEYS[6],
  due = KEYS[7],
  members = KEYS[8],
  failed = KEYS[9],
  failed_at = KEYS[10],
  results = KEYS[11],
  waiters = KEYS[12],
  prefix = prefix,
}

-- The key of one member, task, resource or queue.
function keys.of(part, name)
  return prefix .. part .. ':' .. name
end

return keys
