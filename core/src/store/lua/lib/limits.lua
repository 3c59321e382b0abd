-- Limits that several modules share.
return {
  -- Longest lease, in ms.
  LEASE = 86400000,
  -- The year 2200, in ms since 1970.
  LATEST = 7258118400000,
  -- Fences are microseconds and must be exact as doubles.
  FENCE = 9000000000000000,
  COUNTER = 9e15,
  -- Longest timeout of a job, in ms.
  YEAR = 31536000000,
  -- Largest absolute priority: integers up to it are exact as doubles.
  PRIORITY = 9007199254740992,
  -- Bytes of payloads in one call.
  BYTES = 4194304,
  -- How long the last batch of adds of a removed member, and orders that it has not confirmed, are remembered, in ms.
  REMEMBERED = 3600000,
  -- The first byte of a value that is compressed or encrypted, see envelope.rs.
  ENVELOPE = 254,
  -- Queue entries that one call reads, and so few of them that no call with them is long.
  LOOKED_AT = 2000,
  FEW = 200,
  -- Small jobs moved in one call.
  JOBS = 1000,
}
