-- The scenarios that every host goes through (tests/hosts/scenarios.md), except those that need a library other
-- than the real one. Each has a separate handle, and counts the gate's requests.

local ffi = require "ffi"
local dl_auth = require "dl_auth"
local gate = require "gate"
local request = require "request" -- the page's
local status = dl_auth.status

ffi.cdef [[
  int setenv(const char *name, const char *value, int overwrite);
  int unsetenv(const char *name);
]]

local function new(more) return assert(dl_auth.new(gate.options(more))) end

local function equal(wanted, got) if wanted ~= got then error(("%s instead of %s"):format(got, wanted), 2) end end

--- Checks what a call returned: nil and an error of that status; gives the error.
local function fails(wanted, result, err)
  if result ~= nil then error("it did not fail", 2) end
  if err.name ~= wanted then error(("%s instead of %s: %s"):format(err.name, wanted, err), 2) end
  assert(err.status == status[wanted] and err.message ~= "" and tostring(err) == err.message)
  return err
end

local function scenario(name, body)
  gate.reset()
  body()
  print("ok " .. name)
end

scenario("first_token", function()
  local auth = new()
  local token = assert(auth:token())
  equal(gate.last_token(), token)
  equal(1, auth:generation())
  equal("Bearer " .. token, auth:bearer())
  equal(token, auth:token_within(60000, 0))
  equal(1, gate.count "logins")
  equal(1, gate.count "requests")
end)

scenario("cached_read", function()
  local auth = new()
  local token = assert(auth:token())
  for _ = 1, 1000 do equal(token, auth:token()) end
  equal(1, gate.count "requests")

  local reads = 1000000 -- and leave no garbage: compiled none, interpreted the boxed number that C gives
  local function read() for _ = 1, reads do if auth:token() ~= token then error "another token" end end end
  read()
  collectgarbage()
  collectgarbage "stop"
  local before = collectgarbage "count"
  read()
  local bytes = (collectgarbage "count" - before) * 1024 / reads
  collectgarbage "restart"
  assert(bytes < (jit.status() and 0.1 or 33), bytes)
end)

scenario("claims", function()
  local auth = new()
  local claims = assert(auth:claims())
  local issued, expires = tonumber(claims:match '"iat":(%d+)'), tonumber(claims:match '"exp":(%d+)')
  equal(os.getenv "GATE_USERNAME", claims:match '"email":"(.-)"')
  assert(expires > issued)
  equal(claims, dl_auth.jwt_claims(auth:token()))
  equal(expires, dl_auth.jwt_expiry(auth:token()))
  local info = auth:info()
  equal(expires, info.expires_at)
  equal("fresh", info.state)
  equal("idle", info.activity)
  equal(600000, info.wait_ms)
  fails("BAD_JWT", dl_auth.jwt_claims(("x"):rep(100000)))
  fails("BAD_JWT", dl_auth.jwt_expiry "")
end)

scenario("expiry_and_refresh", function()
  gate.set '{"lifetime": 3}'
  local auth = new()
  local first, token = assert(auth:token()), nil
  gate.wait_until(function()
    local asked = os.time()
    token = assert(auth:token())
    assert(dl_auth.jwt_expiry(token) >= asked, "a token that has ended")
    return token ~= first
  end)
  equal(1, gate.count "logins")
  equal(1, gate.count "refreshes")
end)

scenario("wrong_password", function()
  local auth = new { password = "not that of anybody" }
  for _ = 1, 2 do
    local err = fails("DENIED", auth:token())
    equal(401, err.http_status)
    assert(err.retry_after_ms > 0 and not err.message:find("anybody", 1, true))
  end
  equal(1, gate.count "requests")
  assert(auth:set_credentials(nil, os.getenv "GATE_PASSWORD"))
  equal(assert(auth:token()), gate.last_token())
end)

scenario("gate_down_with_a_valid_token", function()
  gate.set '{"lifetime": 30}'
  local auth = new { refresh_at = 0.1 }
  local token = assert(auth:token())
  gate.plan '{"do": "status", "status": 503, "times": 100}'
  gate.wait_until(function() return auth:info().state == "due" and auth:info().retry_in_ms == 0 end)
  equal(token, auth:token()) -- begins the refresh
  gate.wait_until(function() return auth:info().failures == 1 end)
  equal(503, auth:info().last_http_status)
  equal(token, auth:token())
end)

scenario("gate_down_without", function()
  gate.plan '{"do": "status", "status": 503, "times": 100}'
  local err = fails("GATE", new():token())
  assert(err.http_status == 503 and err.retry_after_ms > 0)
  err = fails("UNREACHABLE", new({ url = os.getenv "GATE_REFUSED_URL" }):token())
  assert(err.http_status == 0 and err.retry_after_ms > 0)
end)

scenario("platform_401", function()
  gate.set '{"lifetime": 10}'
  local auth = new()
  local refused, sent = assert(auth:token()), 0
  gate.wait_until(function() return auth:info().retry_in_ms == 0 end)
  local function platform(authorization)
    sent = sent + 1
    return authorization == "Bearer " .. refused and 401 or 200, authorization
  end
  local code, authorization = request(auth, platform)
  equal(200, code)
  equal("Bearer " .. gate.last_token(), authorization)
  equal(2, sent)
  refused = gate.last_token() -- such a new token is not replaced, so the request is not sent again
  equal(401, (request(auth, platform)))
  equal(3, sent)
  equal(1, gate.count "logins")
  equal(1, gate.count "refreshes")
end)

scenario("many_at_once_make_one_login", function()
  gate.plan '{"do": "hang"}'
  local auth, callers, tokens = new(), {}, {}
  for n = 1, 100 do
    callers[n] = coroutine.create(function()
      local token, err = auth:token(0)
      while not token do
        fails("PENDING", token, err)
        coroutine.yield()
        token, err = auth:token(0)
      end
      tokens[#tokens + 1] = token
    end)
  end
  local function frame()
    for _, caller in ipairs(callers) do
      if coroutine.status(caller) ~= "dead" then assert(coroutine.resume(caller)) end
    end
    return #tokens
  end
  equal(0, frame())
  gate.wait("hanging", 1)
  equal(0, frame())
  gate.release()
  gate.wait_until(function() return frame() == 100 end)
  for _, token in ipairs(tokens) do equal(gate.last_token(), token) end
  equal(1, gate.count "requests")
end)

scenario("use_after_close", function()
  local auth = new()
  assert(auth:token())
  equal(true, auth:close())
  equal(true, auth:close())
  fails("CLOSED", auth:token())
  fails("CLOSED", auth:token(0))
  fails("CLOSED", auth:token_within(0, 0))
  fails("CLOSED", auth:bearer())
  fails("CLOSED", auth:claims())
  fails("CLOSED", auth:info())
  fails("CLOSED", auth:invalidate "token")
  fails("CLOSED", auth:set_credentials("user", "password"))
  equal(0, auth:generation())
end)

scenario("wrong_option", function()
  local err = fails("UNKNOWN_KEY", dl_auth.new { usernam = "bot" })
  assert(err.message:find("`username`", 1, true), err)
  err = fails("INVALID_VALUE", dl_auth.new(gate.options { max_attempts = 11, wait = true, refresh_grant = "perhaps" }))
  assert(err.message:find("max_attempts", 1, true), err) -- of several faults, always the first by name
  err = fails("INVALID_VALUE", dl_auth.new { wait = {} })
  assert(err.message:find("wait", 1, true), err)
end)

scenario("cancellation", function()
  gate.plan '{"do": "hang"}'
  local auth = new()
  fails("TIMEOUT", auth:token(50))
  fails("PENDING", auth:token(0))
  gate.release()
  equal(assert(auth:token()), gate.last_token())
  equal(1, gate.count "logins")
end)

scenario("environ_is_used_instead_of_the_environment", function()
  local function with(more, options)
    local environ = {}
    for key, value in pairs(gate.options(more)) do environ["DL_AUTH_" .. key:upper()] = tostring(value) end
    options = options or {}
    options.environ = environ
    return dl_auth.new(options)
  end
  ffi.C.setenv("DL_AUTH_PASSWORD", "canary of the process", 1)
  ffi.C.setenv("DL_AUTH_TIMEOUT", "canary", 1)
  fails("INVALID_VALUE", dl_auth.new { username = "bot" }) -- LuaJIT changes the environment of the process
  equal(assert(assert(with()):token()), gate.last_token())
  equal(assert(assert(with({ password = "wrong" }, { password = os.getenv "GATE_PASSWORD" })):token()), gate.last_token())
  fails("NO_CREDENTIALS", dl_auth.new { environ = {} })
  local err = fails("INVALID_VALUE", with { wait = "canary" })
  assert(err.message:find("DL_AUTH_WAIT", 1, true) and not err.message:find("canary", 1, true), err)
  fails("INVALID_VALUE", with { username = "canary\255" })
  for _, wrong in ipairs {
    5, "canary=", { "DL_AUTH_USERNAME=canary" }, { ["canary="] = "" }, { [""] = "canary" }, { ["canary\0"] = "" },
    { DL_AUTH_PASSWORD = "canary\0" }, { DL_AUTH_PASSWORD = 5 }, { DL_AUTH_PASSWORD = {} },
  } do
    err = fails("INVALID_VALUE", dl_auth.new { environ = wrong })
    assert(not err.message:find("canary", 1, true), err)
  end
  ffi.C.unsetenv "DL_AUTH_PASSWORD"
  ffi.C.unsetenv "DL_AUTH_TIMEOUT"
end)

scenario("bad_arguments", function()
  local auth = new()
  local token = assert(auth:token())
  for _, limit in ipairs { math.huge, 2 ^ 64, 2 ^ 53, 0.5, 0, -0.0, -1, -math.huge } do
    equal(token, auth:token(limit))
    equal(token, auth:token_within(0, limit))
  end
  for _, wrong in ipairs { 0 / 0, "5", {}, true, 5LL } do
    fails("INVALID_VALUE", auth:token(wrong))
    fails("INVALID_VALUE", auth:token_within(wrong, 0))
    fails("INVALID_VALUE", auth:token_within(0, wrong))
  end
  equal(token, auth:token_within(-math.huge, 0))
  fails("NULL_ARGUMENT", auth:token_within(0))
  fails("TOO_SHORT", auth:token_within(math.huge, 0))
  for _, wrong in ipairs { 5, {}, false, "token\0" } do
    fails("INVALID_VALUE", auth:invalidate(wrong))
    fails("INVALID_VALUE", auth:set_credentials(wrong, "password"))
    fails("INVALID_VALUE", auth:set_credentials("user", wrong))
    fails("INVALID_VALUE", dl_auth.jwt_claims(wrong))
    fails("INVALID_VALUE", dl_auth.jwt_expiry(wrong))
  end
  fails("NULL_ARGUMENT", auth:invalidate())
  fails("NULL_ARGUMENT", auth:set_credentials "user")
  fails("NOT_UTF8", auth:invalidate "\237\160\128") -- a lone surrogate
  for _, wrong in ipairs { 5, "options", { [1] = "user" }, { ["user\0"] = "" }, { username = "bot\0" }, { username = print } } do
    fails("INVALID_VALUE", dl_auth.new(wrong))
  end
  fails("NOT_UTF8", dl_auth.new { username = "\255" })
  for name, method in pairs(getmetatable(auth).__index) do
    if type(method) == "function" then
      fails("NULL_ARGUMENT", method())
      fails("INVALID_VALUE", method {})
    end
  end
  equal(token, auth:token())
end)
