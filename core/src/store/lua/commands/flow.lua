-- Adds jobs that wait for others, all or none of them. Small flows come in one call; others in parts, which are stored after the last has come.
-- KEYS  the fixed keys
-- ARGV  'add', nonce, header, ids of jobs outside of the flow (msgpack), part | 'hold', nonce, ids outside (msgpack), position of the first | 'stage',
--       nonce, number of the first part, parts ... | 'commit', nonce, number of parts, header | 'build', nonce | 'drop', nonce. Parts and the header (both
--       msgpack) are described in flow_building.lua
-- Returns  add, commit, build: msgpack {0, ids of jobs that existed} | msgpack {1} if the flow exists | '' if build is to be called | false if parts
--       are missing | a list with an id that is unknown, of add and hold; of add an empty list if the flow must be sent in parts | hold: how many ids
--       were processed | stage, drop: 1
local meta = require('meta')
local reply = require('reply')
local staging = require('staging')
local flow_building = lazy('flow_building')

-- Jobs outside of the flow that are processed in one call; their records are read and written.
local HELD = math.min(100, meta.move_limit)

local what, nonce = ARGV[1], ARGV[2]

local function add()
  local outside = cmsgpack.unpack(ARGV[4])
  local unknown = staging.unknown(outside)
  if unknown or #outside > HELD then
    return { unknown }
  end
  return flow_building().add(nonce, cmsgpack.unpack(ARGV[3]), outside, cmsgpack.unpack(ARGV[5]))
end

local function hold()
  local ids, some = cmsgpack.unpack(ARGV[3]), {}
  for i = 1, math.min(#ids, HELD) do
    some[i] = ids[i]
  end
  local unknown = staging.unknown(some)
  if unknown then
    return { unknown }
  end
  staging.hold(nonce, some, tonumber(ARGV[4]))
  return #some
end

local function stage()
  staging.stage(nonce, tonumber(ARGV[3]), { unpack(ARGV, 4) })
  return 1
end

local function commit()
  return flow_building().commit(nonce, tonumber(ARGV[3]), ARGV[4])
end

local function build()
  return flow_building().build(nonce)
end

local function drop()
  staging.drop(nonce)
  return 1
end

local commands = { add = add, hold = hold, stage = stage, commit = commit, build = build, drop = drop }
return reply(staging.answer(nonce) or commands[what]())
