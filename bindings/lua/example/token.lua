-- Logs in, then reads the cached token. Configured by DL_AUTH_USERNAME, DL_AUTH_PASSWORD and so on.

local ffi = require "ffi"
local dl_auth = require "dl_auth"

ffi.cdef "int timespec_get(int64_t seconds_and_nanoseconds[2], int base);"
local now = ffi.new "int64_t[2]"

local function milliseconds()
  ffi.C.timespec_get(now, 1) -- TIME_UTC
  return tonumber(now[0]) * 1e3 + tonumber(now[1]) / 1e6
end

local auth = assert(dl_auth.new())

local started = milliseconds()
local token = assert(auth:token())
local first = milliseconds() - started

started = milliseconds()
for _ = 1, 1000 do auth:token() end
local cached = (milliseconds() - started) / 1000

print(("token   %s... (%d bytes)"):format(token:sub(1, 20), #token))
print(("claims  %s"):format(assert(auth:claims())))
print(("expiry  %d (Unix seconds)"):format(assert(dl_auth.jwt_expiry(token))))
print(("first   %.1f ms (login over TLS)"):format(first))
print(("cached  %.6f ms (mean of 1000 calls)"):format(cached))
auth:close()
