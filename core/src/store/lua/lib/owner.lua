-- Values of `owner`: `<fence>:<incarnation>`, then `:d` if the job was deleted and its worker has not stopped it yet.
local DELETING = ':d'
local owner = {}

function owner.of(fence, inc)
  return string.format('%d:%s', fence, inc)
end

-- Returns the fence, the incarnation and whether the job is being deleted; nothing if the value cannot be read.
function owner.read(text)
  local fence, inc, deleting = string.match(text or '', '^(%d+):([^:]+)(:?d?)$')
  return tonumber(fence), inc, deleting == DELETING
end

function owner.is_deleting(text)
  return string.sub(text, -#DELETING) == DELETING
end

function owner.deleting(text)
  return text .. DELETING
end

return owner
