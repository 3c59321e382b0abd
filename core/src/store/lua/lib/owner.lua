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

-- Whether this mark follows the incarnation, and is not the incarnation itself.
local function has_mark(text, mark)
  return string.sub(text, -#mark) == mark and string.find(text, ':', 1, true) <= #text - #mark
end

function owner.is_deleting(text)
  return has_mark(text, DELETING)
end

function owner.is_watched(text)
  return has_mark(text, WATCHED)
end

function owner.watched(text)
  return text .. WATCHED
end

function owner.deleting(text)
  return (owner.is_watched(text) and string.sub(text, 1, -1 - #WATCHED) or text) .. DELETING
end

return owner
