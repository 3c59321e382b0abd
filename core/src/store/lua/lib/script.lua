-- State of one call that is used after an error in it: see recovery.lua.
--   changes  fields and values of `meta` to write
--   in_hand  lists of ids that were removed from one queue and not yet added to another
--   flush    functions that write what modules have gathered, by name; reply.lua calls them
--   answer   the reply of the command if anything fails after it was set
--   discarded  `meta` was removed, and is not written
--   slots    schedules whose next slots the caller is to compute, or nil
--   soonest, soonest_task  the first time at which a limit lets one of the jobs start that this call blocked, and its task
--   refused  the text of an error for which nothing is repaired
local script = { changes = {}, in_hand = {}, flush = {}, answer = nil, discarded = false, refused = nil, slots = nil }

-- Writes what a module has gathered, if this call has loaded it.
function script.write(name)
  local write = script.flush[name]
  if write then
    write()
  end
end

-- Jobs that waited for what ended in this call continue.
function script.settle()
  -- First, because they may end and assign jobs.
  script.write('edges')
  script.write('resources')
  if script.flush.limits then
    script.flush.limits()
    -- Each may free what jobs of the other wait for.
    script.write('resources')
    script.flush.limits()
  end
end

return script
