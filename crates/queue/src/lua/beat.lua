-- Renews the heartbeat of a consumer; with a stream it also makes sure of the consumer group.
-- KEYS: heartbeat [, stream]. ARGV: lifetime in ms [, group].
-- PEXPIRE comes first because it is allowed without memory, and after a first write the others are
-- too: workers must be able to start and to stay alive when Redis is full, for only they empty it.
if redis.call('PEXPIRE', KEYS[1], ARGV[1]) == 0 then
  redis.call('SET', KEYS[1], 1, 'PX', ARGV[1])
end
if KEYS[2] then
  local created = redis.pcall('XGROUP', 'CREATE', KEYS[2], ARGV[2], '0', 'MKSTREAM')
  if created.err and not string.find(created.err, 'BUSYGROUP', 1, true) then return created end
end
return redis.status_reply('OK')
