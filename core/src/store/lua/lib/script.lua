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

-- Jobs that waited for what ended in this call continue.
function script.settle()
  local flush = script.flush
  -- First, because they may end and assign jobs.
  if flush.edges then
    flush.edges()
  end
  -- Each may free what jobs of the other wait for.
  if flush.resources then
    flush.resources()
  end
  if flush.limits then
    flush.limits()
    if flush.resources then
      flush.resources()
      flush.limits()
    end
  end
end

return script
