-- Values of `owner`: `<fence>:<incarnation>`, then `:d` if the job was deleted and its worker has not stopped it yet, or `:w` if other jobs wait for it
-- and its worker does not know it.
local DELETING, WATCHED = ':d', ':w'
local owner = {}

function owner.of(fence, inc)
  return string.format('%d:%s', fence, inc)
end

-- Returns the fence, the incarnation and whether the job is being deleted; nothing if the value cannot be read.
function owner.read(text)
  local fence, inc, deleting = string.match(text or '', '^(%d+):([^:]+)(:?[dw]?)$')
  return tonumber(fence), inc, deleting == DELETING
end

function owner.is_deleting(text)
  return string.sub(text, -#DELETING) == DELETING
end

function owner.is_watched(text)
  return string.sub(text, -#WATCHED) == WATCHED
end

function owner.watched(text)
  return text .. WATCHED
end

function owner.deleting(text)
  return (owner.is_watched(text) and string.sub(text, 1, -1 - #WATCHED) or text) .. DELETING
end

return owner
