-- ARGV  5 asker JSON, or '' to resume   6 reserve ms   7 how long it lasts in ms, or ''
try('PERSIST', 'HDEL', 'HSET', 'ZADD', 'ZRANGE', 'ZREM', 'PUBLISH')
if ARGV[5] ~= '' then
  if not h.v then redis.call('ZADD', I, 0, NAME) end
  redis.call('PERSIST', L)
  local till = ARGV[7] ~= '' and now + tonumber(ARGV[7]) or 0
  redis.call('HSET', L, 'v', '1', 'drain', ARGV[5], 'drain.at', text(now), 'drain.until', text(till))
  return {'done'}
end
local shut = h.drain ~= nil
for i = 1, hi do
  if math.min(num(i .. '.nb'), now + num(i .. '.mh')) > now then shut = true end
end
if not shut then return {'same'} end
redis.call('HDEL', L, 'drain', 'drain.at', 'drain.until')
local any = false
for i = 1, hi do
  redis.call('HSET', L, i .. '.nb', '0', i .. '.mh', '0')
  h[i .. '.nb'], h[i .. '.mh'] = '0', '0'
end
for i = 1, hi do
  if out_until(i) <= now then
    any = true
    if not offer(i, tonumber(ARGV[6])) then break end
  end
end
if not any then tell_head(soonest()) end
if hi == 0 then tell_head(0) end
return {'done'}
