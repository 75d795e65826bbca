-- Puts dead entries back into the stream as fresh ones.
-- KEYS: dead, stream. ARGV: ids.
-- Answers how many were still there.
local moved = 0
for _, id in ipairs(ARGV) do
  local found = redis.call('XRANGE', KEYS[1], id, id)[1]
  if found then
    for f = 1, #found[2], 2 do
      if found[2][f] == 'p' then redis.call('XADD', KEYS[2], '*', 'p', found[2][f + 1]) end
    end
    redis.call('XDEL', KEYS[1], id)
    moved = moved + 1
  end
end
return moved
