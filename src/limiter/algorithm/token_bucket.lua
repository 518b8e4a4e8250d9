-- The state is `as_of ahead numerator`: TAT lies `ahead` µs and `numerator` / limit µs after the instant `as_of`. TAT
-- itself may lie beyond 2^53.
local function check(key, now, limit, window)
  local ahead, numerator = 0, 0
  local state = redis.call('GET', key)
  if state then
    local as_of, micros, parts = string.match(state, '^(%d+) (%d+) (%d+)$')
    ahead, numerator = tonumber(as_of) - now + tonumber(micros), math.min(tonumber(parts), limit - 1)
    if ahead < 0 then
      ahead, numerator = 0, 0
    elseif ahead >= window then
      ahead, numerator = window, 0
    end
  end

  local token, token_parts = math.floor(window / limit), window % limit

  -- From now until a full bucket from which so many tokens were taken is full again, in µs, rounded up. A bucket can
  -- give them if that is at most the window.
  local function full_again_in(tokens)
    return ahead + tokens * token + math.ceil((numerator + tokens * token_parts) / limit)
  end

  local allowed = full_again_in(1) <= window
  if allowed then
    numerator = numerator + token_parts
    ahead = ahead + token + math.floor(numerator / limit)
    numerator = numerator % limit
  end
  redis.call('SET', key, string.format('%.0f %.0f %.0f', now, ahead, numerator))

  -- Quotients are rounded, so the number of whole tokens by them may be one off either way.
  local tokens = (window - ahead - numerator / limit) / window * limit
  local remaining = math.max(0, math.floor(tokens) - 1)
  while full_again_in(remaining + 1) <= window do
    remaining = remaining + 1
  end
  return allowed, remaining, full_again_in(remaining + 1) - window, full_again_in(0)
end
