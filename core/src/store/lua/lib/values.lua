-- Reads values that may be damaged.
local values = {}

-- A number; nil if the value is not a number, not finite or out of bounds.
function values.bounded(value, least, most)
  local number = tonumber(value)
  return number and number >= least and number <= most and number or nil
end

-- Unpacks msgpack; nil if it cannot be read.
function values.unpacked(value)
  local readable, found = pcall(cmsgpack.unpack, value)
  return readable and found or nil
end

return values
