-- Kinds of transitions in the stream `events`.
return {
  ADDED = 'a',
  BLOCKED = 'b',
  COMPLETED = 'c',
  DELETED = 'd',
  FAILED = 'f',
  SCHEDULE_FIRED = 'h',
  RELEASED = 'l',
  PROGRESS = 'p',
  RETRYING = 'r',
  ASSIGNED = 's',
  WAITING = 'w',
  REPLACED = 'x',
  DELAYED = 'y',
}
