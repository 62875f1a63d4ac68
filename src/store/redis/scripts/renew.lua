-- ARGV  5 run id   6 owner   7 token   8 ttl ms
try('PERSIST', 'HSET', 'ZRANGE', 'ZREM', 'PUBLISH')
for i = 1, hi do
  if h[i .. '.o'] == ARGV[6] and h[i .. '.t'] == ARGV[7] and h[i .. '.s'] == 'held' and num(i .. '.e') > now then
    -- Undoes a foreign EXPIRE, and lets the HSET pass when memory is full.
    redis.call('PERSIST', L)
    redis.call('HSET', L, i .. '.e', text(now + tonumber(ARGV[8])), i .. '.ttl', ARGV[8],
      i .. '.ren', num(i .. '.ren') + 1, i .. '.at', text(now), 'run', ARGV[5], 'at', text(now))
    h[i .. '.e'], h[i .. '.ttl'] = text(now + tonumber(ARGV[8])), ARGV[8]
    tell_head(soonest())
    return {'extended', text(us), h[i .. '.stop'] or '', h[i .. '.stopat'] or '0'}
  end
end
local why = 'expired'
if not h.v then why = 'vanished' end
for i = 1, hi do
  if h[i .. '.s'] == 'held' and h[i .. '.t'] ~= ARGV[7] and num(i .. '.e') > now then why = 'taken' end
end
if h.broken == ARGV[7] then why = 'broken' end
return {'lost', text(us), why}
