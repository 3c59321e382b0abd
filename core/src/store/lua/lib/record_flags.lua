-- Flags of the record of a job. From EXTRAS on it is not plain.
return {
  RESULT = 2,
  CRASHES = 4,
  EXTRAS = 8,
  -- Scripts have something to do when the job is assigned or ends.
  CAREFUL = 16,
  -- More workers than allowed died in a row while they ran it and others.
  SUSPECT = 32,
  RESOURCE = 64,
}
