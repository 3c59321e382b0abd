-- What jobs wait for. `waits` has for each node that waits how many of its dependencies have not ended, and `inputs:<node>` has them all. Of a node with
-- one dependency and no start, `waits` itself has this dependency: most jobs with dependencies are of this kind, and need no key of their own.
local match = string.match

local inputs = {
  -- The first letter of a value in `inputs:<node>` and of an outcome in `outputs`.
  OPEN = '?',
  COMPLETED = 'c',
  FAILED = 'f',
  DELETED = 'd',
  -- Fields of `inputs:<node>` that are no ids, which have no control characters: what a failed dependency does, and when the job starts after them.
  ON_FAILURE = '\1f',
  START = '\1s',
  -- Set once the job was retried: what had failed before does not fail it again.
  RETRIED = '\1r',
  -- Value of ON_FAILURE.
  FAIL = '0',
}

-- A value of `waits` with the only dependency: on_failure, the letter, the node and the id of the dependency. These two are empty until it is stored.
function inputs.only(on_failure, letter, other, dependency)
  return '=' .. on_failure .. letter .. other .. ':' .. dependency
end

-- The same, read: on_failure, letter, node and id of the dependency; nil if the value is a number.
function inputs.read(value)
  return match(value, '^=(%d)(.)([^:]*):(.*)$')
end

return inputs
