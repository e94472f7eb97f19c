-- The library against the collector, and the end of a Lua state with handles alive: collector.lua CASE. A case that goes
-- wrong crashes.

local ffi = require "ffi"
local dl_auth = require "dl_auth"
local gate = require "gate"

local function new(more) return assert(dl_auth.new(gate.options(more))) end

local function collect() for _ = 1, 5 do collectgarbage() end end

--- How many threads this process has: a handle with `refresh=background` has one of the library's.
local function threads()
  local told = assert(io.open "/proc/self/status")
  local count = tonumber(told:read("*a"):match "Threads:%s+(%d+)")
  told:close()
  return count
end

--- Refreshes that hang without end, in the background and for a caller.
local function handles_in_flight()
  gate.plan '{"do": "hang", "times": 2}'
  local first, second = new { refresh = "background" }, new()
  assert(select(2, second:token(0)).name == "PENDING")
  gate.wait("hanging", 1) -- the other may have to wait for it: this password has not yet been accepted
  return first, second
end

local cases = {}

--- An auth works when nothing else of the binding is reachable, and is freed when it is not reachable either.
function cases.unreachable()
  local auth = new { refresh = "background" }
  package.loaded.dl_auth, dl_auth = nil, nil
  collect()
  gate.wait("logins", 1)
  assert(auth:token() == gate.last_token() and auth:claims())
  auth = nil
  collect()
  gate.wait_until(function() return threads() == 1 end)
end

--- The file runs repeatedly, as with a tool that reloads changed files. Another module declares the header.
function cases.reload()
  local declarations = assert(io.open(os.getenv "DECLARATIONS")):read "*a"
  local auths = {}
  for n = 1, 1000 do
    package.loaded.dl_auth = nil
    dl_auth = require "dl_auth"
    auths[n % 10] = new()
    if n == 500 then ffi.cdef(declarations) end
  end
  assert(auths[0]:token() == gate.last_token() and auths[0]:info() and not dl_auth.new { usernam = "" })
end

--- The collector runs at each step, while handles and errors come and go.
function cases.often()
  collectgarbage("setpause", 1)
  collectgarbage("setstepmul", 1000)
  local auth = new()
  for n = 1, 2000 do
    local other = new(n % 3 == 0 and { environ = { DL_AUTH_USER_AGENT = "agent " .. n, OTHER = ("x"):rep(n) } })
    assert(auth:token() and auth:info() and not dl_auth.new { usernam = n })
    if n % 2 == 0 then other:close() end
  end
  assert(gate.count "logins" == 1)
end

--- A finaliser that calls the module, between a call and the reading of its result, spoils no result.
function cases.reentrant()
  local auth, other = new(), new { password = "of a finaliser" }
  local claims, runs = assert(auth:claims()), 0
  assert(not other:token())
  local function litter()
    local proxy = newproxy(true)
    getmetatable(proxy).__gc = function()
      runs = runs + 1
      assert(select(2, other:claims()).name == "DENIED")
      litter()
    end
  end
  collectgarbage("setpause", 1)
  litter()
  for _ = 1, 20000 do
    assert(auth:claims() == claims and select(2, dl_auth.jwt_claims "").name == "BAD_JWT")
  end
  assert(runs > 100, runs)
end

--- Two Lua states of one process; the second ends with its handles alive, and the first continues.
function cases.states()
  ffi.cdef [[
    void *luaL_newstate(void);
    void luaL_openlibs(void *state);
    int luaL_loadstring(void *state, const char *text);
    int lua_pcall(void *state, int arguments, int results, int handler);
    const char *lua_tolstring(void *state, int index, size_t *length);
    void lua_close(void *state);
  ]]
  local auth = new()
  assert(auth:token())
  for _ = 1, 20 do
    local state = ffi.C.luaL_newstate()
    ffi.C.luaL_openlibs(state)
    local failed = ffi.C.luaL_loadstring(state, [[
      local dl_auth, gate = require "dl_auth", require "gate"
      alive = assert(dl_auth.new(gate.options { refresh = "background" }))
      assert(alive:token())
    ]]) ~= 0 or ffi.C.lua_pcall(state, 0, 0, 0) ~= 0
    assert(not failed, failed and ffi.string(ffi.C.lua_tolstring(state, -1, nil)))
    ffi.C.lua_close(state)
  end
  gate.wait_until(function() return threads() == 1 end)
  assert(auth:token() and gate.count "logins" == 21)
end

--- The program's end, with a finaliser that still calls what the collector may have freed before.
function cases.fall_off_the_end()
  local first, second = handles_in_flight()
  local proxy = newproxy(true)
  getmetatable(proxy).__gc = function()
    assert(first:token(0) == nil and second:token(0) == nil and second:close())
    io.stderr:write "finalised\n"
  end
  cases.alive = proxy
end

--- As above, but immediately: the state is closed.
function cases.exit_closing()
  cases.fall_off_the_end()
  os.exit(0, true)
end

--- The same, and the state is not closed.
function cases.exit()
  cases.fall_off_the_end()
  os.exit(0)
end

gate.reset()
cases[arg[1]]()
