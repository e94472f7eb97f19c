-- The test gate as a Lua test sees it: its control endpoint (tests/gate/README.md) over the C library's sockets, for
-- LuaJIT has none.

local ffi = require "ffi"

ffi.cdef [[
  struct loopback { uint16_t family; uint8_t port[2], address[4], rest[8]; };
  int socket(int domain, int type, int protocol);
  int connect(int socket, const void *address, unsigned length);
  intptr_t send(int socket, const void *bytes, size_t length, int flags);
  intptr_t recv(int socket, void *bytes, size_t length, int flags);
  int close(int descriptor);
  int poll(void *descriptors, unsigned long count, int milliseconds);
]]

local AF_INET, SOCK_STREAM, MSG_NOSIGNAL = 2, 1, 0x4000
local gate = {}

--- One request: the body of its answer, which must have HTTP status 200.
local function control(method, path, body)
  local port = tonumber(assert(os.getenv "GATE_CONTROL_URL", "no gate"):match ":(%d+)$")
  local socket = ffi.C.socket(AF_INET, SOCK_STREAM, 0)
  local address = ffi.new("struct loopback", AF_INET, { math.floor(port / 256), port % 256 }, { 127, 0, 0, 1 })
  assert(ffi.C.connect(socket, address, ffi.sizeof(address)) == 0, "no connection to the gate")
  local request = ("%s %s HTTP/1.1\r\nHost: gate\r\nContent-Length: %d\r\n\r\n%s"):format(method, path, #(body or ""), body or "")
  assert(ffi.C.send(socket, request, #request, MSG_NOSIGNAL) == #request, "the gate takes no request")
  local answer, bytes = {}, ffi.new "char[4096]"
  repeat
    local count = tonumber(ffi.C.recv(socket, bytes, 4096, 0))
    answer[#answer + 1] = ffi.string(bytes, math.max(count, 0))
  until count <= 0
  ffi.C.close(socket)
  local status, came = table.concat(answer):match "^HTTP/1%.1 (%d+).-\r\n\r\n(.*)$"
  assert(status == "200", came)
  return came
end

function gate.reset() control("POST", "/reset") end
function gate.set(settings) control("POST", "/set", settings) end
function gate.plan(behaviours) control("POST", "/plan", behaviours) end
function gate.release() control("POST", "/release") end
function gate.last_token() return control("GET", "/last_token"):match '^"(.*)"' end

--- How often the gate has seen that: "requests", "logins", "refreshes".
function gate.count(name) return tonumber(control("GET", "/counts"):match('"' .. name .. '":(%d+)')) end

--- Waits until the gate has seen it so often.
function gate.wait(name, least) control("GET", ("/wait?%s=%d"):format(name, least)) end

--- Waits until `holds` does. run.sh ends what hangs.
function gate.wait_until(holds)
  while not holds() do ffi.C.poll(nil, 0, 10) end
end

--- Options for the gate: one try a refresh, so that requests can be counted; with `more`.
function gate.options(more)
  local options = {
    url = os.getenv "GATE_URL", username = os.getenv "GATE_USERNAME", password = os.getenv "GATE_PASSWORD",
    ca_file = os.getenv "GATE_CA_FILE", tls_roots = "ca_file_only", proxy = "none", max_attempts = 1,
    wait = "10m", connect_timeout = "5m", timeout = "10m", -- limits that a busy machine does not reach
  }
  for key, value in pairs(more or {}) do options[key] = value end
  return options
end

return gate
