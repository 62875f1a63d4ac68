-- ARGV  5 run id   6 owner   7 token ('' : whatever this owner has; used when giving up)   8 ending JSON
--      9 reserve ms   10 '1': it completed with exit code 0   11 '1': ends the minimum hold
try('PERSIST', 'HDEL', 'HSET', 'ZRANGE', 'ZREM', 'PUBLISH')
local function give_back(i)
  redis.call('PERSIST', L)
  redis.call('HDEL', L, i .. '.stop', i .. '.stopat')
  if h[i .. '.s'] == 'held' then
    redis.call('HSET', L, i .. '.end', ARGV[8], i .. '.ended', text(now))
    redis.call('HSET', L, 'at', text(now), 'run', ARGV[5])
    if ARGV[10] == '1' then redis.call('HSET', L, 'ok', text(now)) end
  end
  if ARGV[11] == '1' then
    redis.call('HSET', L, i .. '.nb', '0', i .. '.mh', '0')
    h[i .. '.nb'], h[i .. '.mh'] = '0', '0'
  end
  redis.call('HSET', L, i .. '.s', 'free', i .. '.e', '0')
  h[i .. '.s'], h[i .. '.e'] = 'free', '0'
  if h.drain then return end
  if out_until(i) > now then tell_head(soonest()) else offer(i, tonumber(ARGV[9])) end
end
local gone = 'gone'
for i = 1, hi do
  local ours = ARGV[7] == '' or (h[i .. '.t'] == ARGV[7] and h[i .. '.s'] == 'held')
  -- One whose time has run out is nobody's: how it ended is not for its late holder to say.
  ours = ours and (ARGV[7] == '' or num(i .. '.e') > now)
  if ours and h[i .. '.o'] == ARGV[6] and h[i .. '.s'] ~= 'free' then
    give_back(i)
    gone = 'released'
  end
end
if ARGV[7] == '' and redis.call('ZREM', Q, ARGV[6]) == 1 then
  gone = 'left'
  tell_head(soonest())
end
return {gone, text(us)}
