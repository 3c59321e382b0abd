-- State of one call that survives an error in it: see recovery.lua.
--   changes  fields and values of `meta` to write
--   in_hand  lists of ids that were taken out of their places and are not in another one yet
--   flush    functions that write what modules have gathered, by name; reply.lua calls them
--   answer   the reply of the command, whatever fails after it was set
--   discarded  `meta` was removed, and is not written
--   refused  the text of an error after which nothing is repaired
return { changes = {}, in_hand = {}, flush = {}, answer = nil, discarded = false, refused = nil }
