-- Removes a vanished consumer from the group, unless it is alive or still holds entries.
-- Removing one with entries would lose them, hence the checks in the same step.
-- KEYS: stream, heartbeat of the consumer. ARGV: group, consumer.
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
if #redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2]) > 0 then return 0 end
redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
return 1
