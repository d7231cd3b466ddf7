-- Limits that several gateways share. Each call is one of the operations at the end, done whole or
-- not at all, on the server's own clock in microseconds.
--
-- A bucket is {at, deficit, refill, dips} as in limits/limiter.py: its amounts are numbers of units,
-- of which `refill` flow back each microsecond; `dips` are an event's number and the lowest deficit
-- up to it, one after the other. A full bucket has no key. Numbers are doubles: whole up to 2^53,
-- which is a limit of 150 million a minute; beyond it they are rounded by less than a thousandth of
-- one Token.
--
-- A limit of concurrent requests is a sorted set of who has a place and until when. Who does not
-- renew his place in time loses it, as one does whose gateway was killed.

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local MOST_DIPS = 64

local function text(number)
  return string.format('%.0f', number)
end

local function read(key)
  local raw = redis.call('GET', key)
  return raw and cmsgpack.unpack(raw)
end

-- A clock that was set back lets nothing flow, until it is again where it was or something is taken.
local function deficit(bucket)
  if not bucket then return 0 end
  return math.max(0, bucket[2] - math.max(0, now - bucket[1]) * bucket[3])
end

local function write(key, bucket)
  if bucket[2] <= 0 then
    redis.call('DEL', key)
    return
  end
  local full = math.ceil(bucket[2] / bucket[3] / 1000) + 1
  redis.call('SET', key, cmsgpack.pack(bucket), 'PX', text(full))
end

-- Events are numbered from the time on, so that those of a server that has lost all and was started
-- again come after the ones before.
local function next_event(key)
  redis.call('SET', key, text(now), 'NX')
  return redis.call('INCR', key)
end

local function note(dips, event, before)
  while #dips > 0 and dips[#dips] >= before do
    dips[#dips] = nil
    dips[#dips] = nil
  end
  dips[#dips + 1] = event
  dips[#dips + 1] = before
  if #dips <= 2 * MOST_DIPS then return dips end
  local kept = {}
  for at = 1, #dips - 3, 4 do
    kept[#kept + 1] = dips[at + 2]
    kept[#kept + 1] = math.min(dips[at + 1], dips[at + 3])
  end
  if #dips % 4 == 2 then
    kept[#kept + 1] = dips[#dips - 1]
    kept[#kept + 1] = dips[#dips]
  end
  return kept
end

local function at_work(key)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', text(now))
  return redis.call('ZCARD', key)
end

local function place(key, lease, who)
  redis.call('ZADD', key, text(now + lease), who)
  redis.call('PEXPIRE', key, text(math.ceil(lease / 1000)))
end

local operations = {}

-- KEYS: the counter of events, buckets, lines of places. ARGV: how many buckets, the lease, who asks;
-- amount, refill, capacity, returnable of each bucket; the limit of each line.
-- Returns 1, or 0 where nothing was taken; the event; the deficit before and after of each bucket;
-- how many are at work in each line before.
function operations.take()
  local count, lease, who = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
  local granted, found, answer = 1, {}, {1, '0'}
  for i = 1, count do
    local at = 1 + i * 4
    local bucket = read(KEYS[1 + i])
    local before = deficit(bucket)
    local after = before + tonumber(ARGV[at])
    if after > tonumber(ARGV[at + 2]) then granted = 0 end
    found[i] = {bucket, before, after}
    answer[#answer + 1] = text(before)
    answer[#answer + 1] = text(after)
  end
  for i = count + 2, #KEYS do
    local working = at_work(KEYS[i])
    if working >= tonumber(ARGV[3 + 3 * count + i]) then granted = 0 end
    answer[#answer + 1] = working
  end
  answer[1] = granted
  if granted == 0 then return answer end
  local event = next_event(KEYS[1])
  answer[2] = text(event)
  for i = 1, count do
    local at = 1 + i * 4
    local bucket, before, after = unpack(found[i])
    local dips = bucket and bucket[4] or {}
    if ARGV[at + 3] == '1' then dips = note(dips, event, before) end
    write(KEYS[1 + i], {now, after, tonumber(ARGV[at + 1]), dips})
  end
  for i = count + 2, #KEYS do
    place(KEYS[i], lease, who)
  end
  return answer
end

-- KEYS: the counter of events, buckets. ARGV: the event of the take; surplus and refill of each
-- bucket. See `Limiter.settle` and `_Bucket.give_back`.
function operations.settle()
  local mark = tonumber(ARGV[2])
  local event = next_event(KEYS[1])
  for i = 1, #KEYS - 1 do
    local surplus, refill = tonumber(ARGV[1 + 2 * i]), tonumber(ARGV[2 + 2 * i])
    local bucket = read(KEYS[1 + i])
    if surplus < 0 or bucket then
      local before = deficit(bucket)
      local after = before + math.max(0, -surplus)
      local dips = note(bucket and bucket[4] or {}, event, before)
      local given, since = surplus, false
      for at = 1, #dips, 2 do
        if dips[at] > mark then
          since = true
          given = math.min(given, dips[at + 1])
        end
      end
      if surplus > 0 and since and given > 0 then
        after = after - given
        for at = 1, #dips, 2 do
          if dips[at] > mark then dips[at + 1] = dips[at + 1] - given end
        end
      end
      write(KEYS[1 + i], {now, after, refill, dips})
    end
  end
end

-- KEYS: lines. ARGV: the lease; how many there are of each line, and who. One whose place has
-- lapsed, while his gateway could not say that he is at work, gets it back.
function operations.renew()
  local lease, at = tonumber(ARGV[2]), 3
  for i = 1, #KEYS do
    for who = at + 1, at + tonumber(ARGV[at]) do
      place(KEYS[i], lease, ARGV[who])
    end
    at = at + 1 + tonumber(ARGV[at])
  end
end

-- KEYS: lines. ARGV: who ends.
function operations.free()
  for i = 1, #KEYS do
    redis.call('ZREM', KEYS[i], ARGV[2])
  end
end

-- KEYS: one bucket. Returns its deficit.
function operations.deficit()
  return text(deficit(read(KEYS[1])))
end

-- KEYS: one line. Returns how many are at work.
function operations.working()
  return at_work(KEYS[1])
end

return operations[ARGV[1]]()
