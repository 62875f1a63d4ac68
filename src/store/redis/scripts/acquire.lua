-- ARGV  5 run id of the server   6 its start, ms   7 owner   8 ttl ms   9 min hold ms  10 slots
--      11 ticket ('' at first)  12 'try', 'wait' or 'join'  13 labels JSON  14 reserve ms  15 guard ms
--
-- 'try' asks once. 'wait' asks, and stands in line if refused. 'join' stands in line and is told 'turn'
-- where 'wait' would be granted: whoever sleeps must not wake up with a lease.
local RUN, STARTED, OWNER, TTL = ARGV[5], tonumber(ARGV[6]), ARGV[7], tonumber(ARGV[8])
local MH, SLOTS, TICKET = tonumber(ARGV[9]), tonumber(ARGV[10]), ARGV[11]
local WAIT, JOIN = ARGV[12] ~= 'try', ARGV[12] == 'join'
local LABELS, RESERVE, GUARD = ARGV[13], tonumber(ARGV[14]), tonumber(ARGV[15])
-- When memory is full a lease that is known can still be had, and one that is not would take more of it.
try(h.v and 'PERSIST' or 'ZADD', 'ZADD', 'HSET', 'PERSIST', 'HDEL', 'PEXPIRE', 'ZREM', 'ZRANGE', 'ZRANK', 'ZSCORE', 'PUBLISH')
-- 1  Repeated claim: same token, and the expiry starts afresh, because the caller will count its
--    deadline from this attempt.
for i = 1, hi do
  if h[i .. '.o'] == OWNER and h[i .. '.s'] == 'held' and num(i .. '.e') > now then
    if JOIN then return {'turn', text(us)} end
    redis.call('PERSIST', L)
    redis.call('HSET', L, i .. '.e', text(now + TTL), i .. '.ttl', text(TTL))
    return {'granted', h[i .. '.t'], i, text(us)}
  end
end
local function refuse(why, ms)
  local rank = -1
  if WAIT then
    if TICKET == '' then TICKET = text(us) end
    redis.call('ZADD', Q, 'NX', TICKET, OWNER)
    redis.call('PEXPIRE', Q, 60000)
    rank = redis.call('ZRANK', Q, OWNER)
  end
  return {'held', why, text(ms), TICKET, rank, text(us), flat}
end
-- 2  Could a holder be alive of whom this server knows nothing?
local function guard(till) return refuse('guard', till - now) end
local function guard_from_now()
  redis.call('HSET', L, 'v', '1', 'run', RUN, 'at', text(now),
    'guard', text(now + GUARD), 'gspan', text(GUARD))
  return guard(now + GUARD)
end
if not h.token then                                 -- missing, or only ever paused or guarded
  local numsub = PUBLISH == 'PUBLISH' and 'NUMSUB' or 'SHARDNUMSUB'
  if redis.call('PUBSUB', numsub, HOLDERS)[2] > 0 then -- flushed or deleted under a live holder
    redis.call(PUBLISH, HOLDERS, 'lost')
    return refuse('forgotten', 1000)
  end
end
if GUARD > 0 then
  if not h.v and redis.call('ZSCORE', I, NAME) then  -- deleted: the index still knows it
    return guard_from_now()
  end
  if not h.token or h.run ~= RUN then
    if STARTED > now + 1000 then                     -- the clock was set back behind the start: no telling when
      if h.run ~= RUN or not h.guard then return guard_from_now() end
    elseif not h.token or STARTED >= num('at') then  -- restarted, without data or from old data
      if now < STARTED + GUARD then return guard(STARTED + GUARD) end
    else                                             -- failed over, or the slot moved here
      return guard_from_now()
    end
  end
  local g = math.min(num('guard'), now + num('gspan'))
  if g > now then return guard(g) end
end
-- 3  Drained: nobody gets it until an operator resumes it.
if h.drain then
  local till = num('drain.until')
  return refuse('drained', till > 0 and till - now or -1)
end
-- 4  Count who is in. Every bound declared by a live holder holds, and ours.
local count, limit, mine, free, first = 0, SLOTS, nil, nil, nil
local soon = nil
for i = 1, hi do
  local u = out_until(i)
  if u > now then
    if h[i .. '.s'] == 'next' and h[i .. '.o'] == OWNER then mine = i
    else
      count, first = count + 1, first or i
      if h[i .. '.s'] == 'held' then limit = math.min(limit, num(i .. '.n')) end
      if not soon or u < soon then soon = u end
    end
  else free = free or i end
end
free = mine or free or hi + 1
-- 5  Whoever is in line before us goes first.
if not mine then
  while count < limit do
    local id = redis.call('ZRANGE', Q, 0, 0)[1]
    if not id or id == OWNER then break end
    if WAIT and TICKET ~= '' and tonumber(TICKET) < tonumber(redis.call('ZSCORE', Q, id)) then break end
    if free > hi then
      hi = free
      redis.call('HSET', L, 'v', '1', 'hi', hi)
    end
    if offer(free, RESERVE) == nil then break end
    if h[free .. '.o'] == OWNER then break end
    count, first = count + 1, first or free
    local u = now + RESERVE
    if not soon or u < soon then soon = u end
    free = nil
    for i = 1, hi do
      if out_until(i) <= now then
        free = i
        break
      end
    end
    free = free or hi + 1
  end
end
if count >= limit then
  local why = h[first .. '.s']
  if why == 'free' or num(first .. '.e') <= now then why = 'min-hold' end
  return refuse(why, soon - now)
end
-- 6  Grant. What the slot's last hold left becomes the run before this one.
if JOIN then return {'turn', text(us)} end
local token = math.max(num('token') + 1, us)
local i = free
if i > hi then hi = i end
if not h.v then redis.call('ZADD', I, 0, NAME) end
redis.call('PERSIST', L)
if h[i .. '.t'] then
  local past, gone = {}, {}
  for _, field in ipairs({'l', 't', 'since', 'ren', 'end', 'ended'}) do
    local value = h[i .. '.' .. field]
    if value then
      past[#past + 1], past[#past + 2] = 'p.' .. field, value
    else
      gone[#gone + 1] = 'p.' .. field
    end
  end
  redis.call('HSET', L, unpack(past))
  if #gone > 0 then redis.call('HDEL', L, unpack(gone)) end
end
redis.call('HSET', L, 'v', '1', 'hi', hi, 'token', text(token), 'run', RUN, 'at', text(now),
  i .. '.s', 'held', i .. '.o', OWNER, i .. '.t', text(token),
  i .. '.e', text(now + TTL), i .. '.ttl', text(TTL),
  i .. '.since', text(now), i .. '.ren', 0, i .. '.n', SLOTS, i .. '.l', LABELS,
  i .. '.mh', text(MH), i .. '.nb', text(MH > 0 and now + MH or 0))
redis.call('HDEL', L, i .. '.stop', i .. '.stopat', i .. '.end', i .. '.ended')
redis.call('ZREM', Q, OWNER)
h[i .. '.e'], h[i .. '.ttl'] = text(now + TTL), text(TTL)
tell_head(soonest())
return {'granted', text(token), i, text(us)}
