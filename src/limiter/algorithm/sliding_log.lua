-- The state is a list of the instants of the admissions that count, oldest first.
local function check(key, now, limit, window)
  local counted = redis.call('LLEN', key)

  local function instant(place)
    return tonumber(redis.call('LINDEX', key, place))
  end

  -- How many admissions were made at `at` or before. Looks near the oldest first: few expire between two checks.
  local function made_by(at)
    local low, high, step = 0, counted, 1
    while low < high do
      local place = math.min(low + step - 1, math.floor((low + high) / 2))
      if instant(place) <= at then
        low, step = place + 1, step * 2
      else
        high = place
      end
    end
    return low
  end

  if counted > 0 and instant(-1) > now then
    local future = counted - made_by(now)
    redis.call('LTRIM', key, 0, -future - 1)
    -- In pieces: the arguments of one call must fit on Lua's stack. A million take 0.2 s, once for each step of the clock.
    local piece = {}
    for place = 1, math.min(future, 1000) do
      piece[place] = string.format('%.0f', now)
    end
    for pushed = 0, future - 1, 1000 do
      redis.call('RPUSH', key, unpack(piece, 1, math.min(future - pushed, 1000)))
    end
  end

  -- Not `at + window <= now`, as that sum may lie beyond 2^53.
  local expired = made_by(now - window)
  if expired > 0 then
    redis.call('LTRIM', key, expired, -1)
    counted = counted - expired
  end

  local allowed = counted < limit
  if allowed then
    redis.call('RPUSH', key, string.format('%.0f', now))
    counted = counted + 1
  end

  local next_to_matter = math.max(counted - limit, 0)
  local remaining = allowed and limit - counted or 0
  local function counts_for(place)
    return window - (now - instant(place))
  end
  return allowed, remaining, counts_for(next_to_matter), counts_for(-1)
end
