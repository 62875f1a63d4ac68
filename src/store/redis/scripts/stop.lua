-- ARGV  5 token or '*'   6 asker JSON, or ending JSON   7 'ask' or 'force'   8 reserve ms
try('PERSIST', 'HDEL', 'HSET', 'ZRANGE', 'ZREM', 'PUBLISH')
local n, token = 0, ''
for i = 1, hi do
  if h[i .. '.s'] == 'held' and num(i .. '.e') > now and (ARGV[5] == '*' or h[i .. '.t'] == ARGV[5]) then
    n, token = n + 1, h[i .. '.t']
    if ARGV[7] == 'force' then
      redis.call('PERSIST', L)
      redis.call('HSET', L, i .. '.s', 'free', i .. '.e', '0', i .. '.nb', '0', i .. '.mh', '0',
        i .. '.end', ARGV[6], i .. '.ended', text(now), 'broken', token)
      redis.call('HDEL', L, i .. '.stop', i .. '.stopat')
      h[i .. '.s'], h[i .. '.e'], h[i .. '.nb'] = 'free', '0', '0'
      redis.call(PUBLISH, HOLDERS, 'lost ' .. token)
      if not h.drain then offer(i, tonumber(ARGV[8])) end
    else
      redis.call('PERSIST', L)
      redis.call('HSET', L, i .. '.stop', ARGV[6], i .. '.stopat', text(now))
      redis.call(PUBLISH, HOLDERS, 'stop ' .. token .. ' ' .. text(now) .. ' ' .. ARGV[6])
    end
  end
end
return {'asked', n, token}
