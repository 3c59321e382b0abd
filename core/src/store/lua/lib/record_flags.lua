-- Flags of the record of a job. A job is not plain if it has EXTRAS or a higher flag below TIMED.
return {
  RESULT = 2,
  CRASHES = 4,
  EXTRAS = 8,
  -- Scripts must process some of the extras when the job is assigned.
  CAREFUL = 16,
  -- More workers than allowed crashed in a row while they ran it and others.
  SUSPECT = 32,
  RESOURCE = 64,
  -- The record ends with the time from which the job waits. A plain job has it, too.
  TIMED = 128,
}
