-- Moves failed entries from the stream to the sorted set, to be handed out again later.
-- KEYS: stream, delayed. ARGV: group, then for each entry: id, due time in ms, member header.
-- XACK answers 1 only the first time, so a repeated call moves nothing twice.
local moved = 0
for i = 2, #ARGV, 3 do
  local id = ARGV[i]
  if redis.call('XACK', KEYS[1], ARGV[1], id) == 1 then
    local found = redis.call('XRANGE', KEYS[1], id, id)[1]
    if found then
      local payload = ''
      for f = 1, #found[2], 2 do
        if found[2][f] == 'p' then payload = found[2][f + 1] end
      end
      redis.call('ZADD', KEYS[2], ARGV[i + 1], ARGV[i + 2] .. payload)
      redis.call('XDEL', KEYS[1], id)
      moved = moved + 1
    end
  end
end
return moved
