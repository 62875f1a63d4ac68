-- Nothing is kept of a lease that nobody holds. A hash without fields and a set without members are gone.
try('HDEL', 'ZRANGE', 'ZREM', 'UNLIST')
for i = 1, hi do
  if h[i .. '.s'] == 'held' and num(i .. '.e') > now then return {'held'} end
end
for field in pairs(h) do redis.call('HDEL', L, field) end
-- What counts as absent was taken out of the table.
redis.call('HDEL', L, 'drain')
for _, id in ipairs(redis.call('ZRANGE', Q, 0, -1)) do redis.call('ZREM', Q, id) end
redis.call('ZREM', I, NAME)
return {'done'}
