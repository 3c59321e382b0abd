-- Members of `due`: a kind, and a name. The score is the due time in ms.
return {
  LEASE = 'L:', -- incarnation
  RESULT = 'R:', -- id: its result expires
  LAST_BATCH = 'M:', -- incarnation: the number of its last batch of adds, and orders that it has not confirmed, expire
  FAILED = 'F:', -- the oldest failed job expires
  DELAYED = 'D:', -- the first delayed job
  ASSIGN_TIMEOUT = 'A:', -- id
  RUN_TIMEOUT = 'T:', -- id
  TOTAL_TIMEOUT = 'E:', -- id
  TRIAL = 'P:', -- id of a suspect: the end of its first moments
  CHOICE = 'C:', -- the time for a choice of workers is over
  SWEEP = 'S:', -- a search for damage
  SCHEDULE = 'H:', -- '': the first slot of all schedules; id: the next job of a schedule, after the end of one
  UNIQUE = 'U:', -- unique key: the time for which its job keeps it is over
  BROADCAST = 'B:', -- the next page of members gets the first of `broadcasts`
  LIMIT = 'N:', -- name: the next job of this limit may start
  SETTLE = 'W:', -- jobs that waited for others are settled
  STAGE = 'G:', -- nonce of a flow: the next part is stored, parts whose producer is gone are removed, or its answer expires
  FLOW = 'K:', -- id of a flow: jobs that are left are deleted, or it is forgotten
  COMPLETED = 'J:', -- the first completed job that is kept for a time expires
  -- Kinds that jobs may wait for.
  OF_JOBS = 'DATEPCSHNWGK',
}
