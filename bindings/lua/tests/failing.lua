-- With the library that fails on order (tests/hosts/stub.c), each status is an error with all its parts.

local dl_auth = require "dl_auth"

local function check(code, name, result, err)
  assert(result == nil and err.status == code and err.name == name, name)
  assert(err.http_status == 418 and err.retry_after_ms == 1500)
  assert(err.message:find(name, 1, true) and tostring(err) == err.message and ("it failed: " .. err):find(name, 1, true))
end

local function fails_everywhere(code, name)
  local auth = assert(dl_auth.new { token = code })
  check(code, name, auth:token())
  check(code, name, auth:token(0))
  check(code, name, auth:token_within(0, 0))
  check(code, name, auth:bearer())
  check(code, name, auth:claims())
  check(code, name, auth:info())
  check(code, name, auth:invalidate "token")
  check(code, name, auth:set_credentials("user", "password"))
  check(code, name, dl_auth.jwt_claims "token")
  check(code, name, dl_auth.jwt_expiry "token")
  assert(auth:close())
end

for name, code in pairs(dl_auth.status) do fails_everywhere(code, name) end
fails_everywhere(-1000, "UNKNOWN") -- of a library that is newer than this binding
print "ok every_status"

-- This library, unlike the real one, can be unloaded: it must not be while the collector has a handle to free.
local auths = {}
for n = 1, 10 do auths[n] = assert(dl_auth.new { token = -20 }) end
package.loaded.dl_auth, dl_auth, auths = nil, nil, nil
for _ = 1, 5 do collectgarbage() end
alive_at_the_end = assert(require("dl_auth").new())
