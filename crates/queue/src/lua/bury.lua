-- Moves entries that failed for good from the stream to the dead entries.
-- KEYS: stream, dead, counters. ARGV: group, most dead entries, now in ms,
-- then for each entry: id, failed attempts, deliveries, reason.
-- XACK answers 1 only the first time, so a repeated call buries nothing twice.
local moved = 0
for i = 4, #ARGV, 4 do
  local id = ARGV[i]
  if redis.call('XACK', KEYS[1], ARGV[1], id) == 1 then
    local found = redis.call('XRANGE', KEYS[1], id, id)[1]
    if found then
      local payload = ''
      for f = 1, #found[2], 2 do
        if found[2][f] == 'p' then payload = found[2][f + 1] end
      end
      redis.call('XADD', KEYS[2], '*', 'p', payload, 'r', ARGV[i + 3], 't', ARGV[3],
        'a', ARGV[i + 1], 'd', ARGV[i + 2], 'i', id)
      redis.call('XDEL', KEYS[1], id)
      moved = moved + 1
    end
  end
end
local trimmed = redis.call('XTRIM', KEYS[2], 'MAXLEN', ARGV[2])
if trimmed > 0 then redis.call('HINCRBY', KEYS[3], 'dead_trimmed', trimmed) end
return moved
