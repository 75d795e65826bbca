-- Hands pending entries of one consumer to another.
-- KEYS: stream, heartbeat of the owner. ARGV: group, new owner, owner, least idle ms, most entries.
-- With 0 as least idle time nothing is taken from an owner whose heartbeat is there: checked here,
-- in the same step, so that two claimers never take the same entry from each other.
-- Answers triples of id, deliveries with this one, fields.
local group, me, owner, idle = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
if idle == 0 and redis.call('EXISTS', KEYS[2]) == 1 then return {} end
local pending = redis.call('XPENDING', KEYS[1], group, 'IDLE', idle, '-', '+', ARGV[5], owner)
local taken = {}
for _, item in ipairs(pending) do
  local claimed = redis.call('XCLAIM', KEYS[1], group, me, idle, item[1])[1]
  if claimed then
    taken[#taken + 1] = { claimed[1], item[4] + 1, claimed[2] }
  else
    -- Deleted meanwhile: nothing is left to hand out.
    redis.call('XACK', KEYS[1], group, item[1])
  end
end
return taken
