-- One take of a sliding window.
-- KEYS[1] list of the instants of the last takes, oldest first
-- ARGV    count, window in ms, now in ms
-- Returns 0 when taken, else the milliseconds until the oldest take leaves the window.
local count, window, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local length = redis.call('LLEN', KEYS[1])
while length > count do
  redis.call('LPOP', KEYS[1])
  length = length - 1
end
if length == count then
  local oldest = tonumber(redis.call('LINDEX', KEYS[1], 0))
  -- A clock that was set back must not lock the key for ever.
  if oldest > now - window and oldest <= now then
    return oldest + window - now
  end
  redis.call('LPOP', KEYS[1])
end
redis.call('RPUSH', KEYS[1], now)
redis.call('PEXPIRE', KEYS[1], window + 1000)
return 0
