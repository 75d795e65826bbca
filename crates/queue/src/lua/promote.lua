-- Moves due entries from the sorted set to the stream, oldest due time first.
-- KEYS: delayed, stream. ARGV: now in ms, most entries, most bytes.
-- Answers the number moved and the due time of the next one, or false when none is left.
-- Works in slices, because unpacking or holding everything that is due has no bound.
local now, most, most_bytes = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local moved, bytes = 0, 0
-- Changes nothing, but is allowed without memory, and after a first write the others are too: when
-- delayed entries fill Redis, nothing else would ever make room.
redis.call('XDEL', KEYS[2], '0-1')
while moved < most and bytes < most_bytes do
  local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, math.min(50, most - moved))
  if #due == 0 then break end
  for _, member in ipairs(due) do
    local attempts = struct.unpack('>I4', member, 17)
    local payload = string.sub(member, 21)
    if attempts == 0 then
      redis.call('XADD', KEYS[2], '*', 'p', payload)
    else
      redis.call('XADD', KEYS[2], '*', 'p', payload, 'a', attempts)
    end
    bytes = bytes + #member
  end
  -- They are the lowest of the set, so their ranks are known.
  redis.call('ZREMRANGEBYRANK', KEYS[1], 0, #due - 1)
  moved = moved + #due
end
local next_one = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return { moved, next_one[2] and math.floor(tonumber(next_one[2])) or false }
