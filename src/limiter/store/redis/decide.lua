-- What follows the script of an algorithm, which defines `check`.
-- Keys: the key. Arguments: limit, window (µs), expiry margin (ms), and the time (µs) if it is not to be the server's.
local limit, window, margin = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local now = tonumber(ARGV[4])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000000 + tonumber(time[2])
end

local allowed, remaining, reset, expires_in = check(KEYS[1], now, limit, window)
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.ceil(expires_in / 1000) + margin))
return {allowed and 1 or 0, remaining, reset, now}
