-- How fast calls go through queues.
return {
  -- The limit of queue entries that one call reads. One that is not assigned counts for several: it is decoded and moved.
  LOOKED_AT = 2000,
  SKIPPED = 3,
  -- While jobs wait at limits, most of those that follow may have to wait, too. Calls are shorter then, so that jobs start as soon as a limit lets them:
  -- fewer entries are read at once, and one that is not assigned counts for more.
  AT_ONCE_LIMITED = 200,
  SKIPPED_LIMITED = 10,
}
