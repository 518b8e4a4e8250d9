-- The state is `count newest`. Instants are compared by where their windows start: a window's end may lie beyond 2^53.
local function check(key, now, limit, window)
  local function window_start(at)
    return at - at % window
  end

  local count, newest = 0, 0
  local state = redis.call('GET', key)
  if state then
    local counted, latest = string.match(state, '^(%d+) (%d+)$')
    count, newest = tonumber(counted), math.min(tonumber(latest), now)
  end
  if window_start(newest) < window_start(now) then
    count = 0
  end

  local allowed = count < limit
  if allowed then
    count, newest = count + 1, now
  end
  redis.call('SET', key, string.format('%.0f %.0f', count, newest))

  local remaining = allowed and limit - count or 0
  local to_end = window - now % window
  return allowed, remaining, to_end, to_end
end
