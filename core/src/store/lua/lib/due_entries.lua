-- Members of `due`: a kind, and what it is about. The score is the time in ms at which it is due.
return {
  LEASE = 'L:', -- incarnation
  RESULT = 'R:', -- id: its result expires
  LAST_BATCH = 'M:', -- incarnation: the number of its last batch of adds is forgotten
  FAILED = 'F:', -- the oldest failed job expires
  DELAYED = 'D:', -- the first delayed job
  ASSIGN_TIMEOUT = 'A:', -- id
  RUN_TIMEOUT = 'T:', -- id
  TOTAL_TIMEOUT = 'E:', -- id
  TRIAL = 'P:', -- id of a suspect: the end of its first moments
  CHOICE = 'C:', -- the time for a choice of workers is over
  SWEEP = 'S:', -- damage is to be looked for
  BROADCAST = 'B:', -- the next page of members gets the first of `broadcasts`
  -- Kinds that jobs wait for.
  OF_JOBS = 'DATEPCS',
}
