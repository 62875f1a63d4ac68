-- What every script begins with. A script is sent as this text and its own.
--
-- KEYS  1 lease hash   2 queue (sorted set)   3 index (sorted set)          all in one slot
-- ARGV  1 lease name   2 holders' channel   3 prefix of waiters' channels   4 PUBLISH or SPUBLISH
local L, Q, I = KEYS[1], KEYS[2], KEYS[3]
local NAME, HOLDERS, WAITER, PUBLISH = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local kind = redis.call('TYPE', L).ok
if kind ~= 'none' and kind ~= 'hash' then return {'foreign', kind} end
for n = 2, 3 do                                             -- before the first write: nothing half done
  local k = redis.call('TYPE', KEYS[n]).ok
  if k ~= 'none' and k ~= 'zset' then return {'foreign', k} end
end
local t = redis.call('TIME')
local us = tonumber(t[1]) * 1000000 + tonumber(t[2])       -- exact in a double until the year 2255
local now = math.floor(us / 1000)
local h, flat = {}, redis.call('HGETALL', L)
for n = 1, #flat, 2 do h[flat[n]] = flat[n + 1] end
if kind == 'hash' and h.v ~= '1' then return {'foreign', 'version ' .. (h.v or 'none')} end
local function text(n) return string.format('%.0f', n) end  -- tostring() would round to 14 digits
local function num(field) return tonumber(h[field] or '0') or 0 end
-- A pause that is over counts as none; what is left of it goes with the next.
if num('drain.until') > 0 and num('drain.until') <= now then h.drain = nil end
local hi = num('hi')                                        -- highest slot ever used
-- A slot keeps others out until the later of its expiry and its minimum hold. After the clock was set
-- back both could lie far ahead: neither may be further away than the span it was made from.
local function out_until(i)
  local e = math.min(num(i .. '.e'), now + num(i .. '.ttl'))
  local nb = math.min(num(i .. '.nb'), now + num(i .. '.mh'))
  if num(i .. '.e') > e then
    h[i .. '.e'] = text(e)
    redis.call('HSET', L, i .. '.e', text(e))
  end
  if num(i .. '.nb') > nb then
    h[i .. '.nb'] = text(nb)
    redis.call('HSET', L, i .. '.nb', text(nb))
  end
  return math.max(e, nb)
end
-- A command that an ACL forbids, or that the server does not know, ends a script in its middle, and what came
-- before stays done. So a script first tries all that it may come to. A server before 7.0 cannot be asked: there
-- each is carried out where nothing comes of it. Those that memory limits refuse come first where a full memory is
-- to refuse the script.
local function try(...)
  local idle = {
    HSET = {{L, 'v', '1', 'odd'}},                            -- a field without value: refused by HSET itself
    HDEL = {{L, ''}}, PERSIST = {{L}}, PEXPIRE = {{Q, 'odd'}}, -- no number: the same
    ZADD = {{Q, 'XX', '0', ''}, {I, 'XX', '0', ''}}, ZREM = {{Q, ''}}, UNLIST = {{I, ''}},
    ZRANGE = {{Q, '0', '0'}}, ZRANK = {{Q, ''}}, ZSCORE = {{Q, ''}, {I, ''}},
    PUBLISH = {{WAITER, ''}, {HOLDERS .. '\1', ''}},          -- no name has that byte: nobody listens there
  }
  local real = {PUBLISH = PUBLISH, UNLIST = 'ZREM'}
  for _, what in ipairs({...}) do
    local name = real[what] or what
    for _, words in ipairs(idle[what]) do
      if redis.acl_check_cmd then
        local known, may = pcall(redis.acl_check_cmd, name, unpack(words))
        if not known then error({err = "ERR unknown command '" .. name .. "'"}) end
        if not may then
          local on = words[1]:gsub('%c', '')
          error({err = "NOPERM this user has no permissions to run '" .. name:lower() .. "' on " .. on})
        end
      else
        local said = redis.pcall(name, unpack(words))
        local why = type(said) == 'table' and said.err
        if why and why:find('Unknown Redis command', 1, true) then why = "unknown command '" .. name .. "'" end
        if why and not why:find('wrong number', 1, true) and not why:find('not an integer', 1, true) then
          error(why, 0)
        end
      end
    end
  end
end
local function tell(id, ms) return redis.call(PUBLISH, WAITER .. id, text(ms)) > 0 end
-- First in line learns when to look again; whoever does not hear is dead and leaves the line.
local function tell_head(ms)
  while true do
    local id = redis.call('ZRANGE', Q, 0, 0)[1]
    if not id or tell(id, ms) then return id end
    redis.call('ZREM', Q, id)
  end
end
local function soonest()
  local at
  for i = 1, hi do
    local u = out_until(i)
    if u > now and (not at or u < at) then at = u end
  end
  return at and at - now or 0
end
-- Slot i is free: reserve it for the first waiter that hears, and let the one behind it watch.
local function offer(i, reserve)
  while true do
    local id = redis.call('ZRANGE', Q, 0, 0)[1]
    if not id then return nil end
    redis.call('ZREM', Q, id)
    if tell(id, 0) then
      redis.call('HSET', L, i .. '.s', 'next', i .. '.o', id, i .. '.e', text(now + reserve),
        i .. '.ttl', text(reserve), i .. '.nb', '0', i .. '.mh', '0')
      h[i .. '.s'], h[i .. '.o'], h[i .. '.nb'] = 'next', id, '0'
      h[i .. '.e'], h[i .. '.ttl'] = text(now + reserve), text(reserve)
      tell_head(reserve)
      return id
    end
  end
end
