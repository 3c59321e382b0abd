-- Kinds of inbox entries, and their contents.
return {
  JOBS = 'j', -- msgpack {fence of the first, id, record, ...}
  DELETED = 'd', -- msgpack {fence, id, ...}
  TIMED_OUT = 't', -- the same
  MOVE = 'm', -- the same: jobs to release for other workers
  OUTCOMES = 'r', -- msgpack {id, outcome, ...}
  WAKE = 'w', -- '': an entry of `due` is earlier than the last round returned
  CHOOSE = 'c', -- '': jobs wait for a choice
  ORDER = 's', -- msgpack {number, slots or 0, 1 to resume, 2 to pause or 0}
  MESSAGE = 'e',
  MEMBER = 'n', -- msgpack {joined, left or lost, incarnation, role, name, group, host, pid}
  ABSENT = 'g', -- msgpack {incarnation, ...}
  DROPPED = 'o', -- number of messages dropped before
}
