-- Prints the sizes of the structs and the constants of the declarations, then the token of a login: login.lua NAMES...
local ffi = require "ffi"

local file = assert(io.open(os.getenv "DECLARATIONS"))
ffi.cdef(file:read "*a")
file:close()
local C = ffi.load(os.getenv "LIBRARY")

for _, name in ipairs { "dl_auth_error_t", "dl_auth_info_t" } do print(name, ffi.sizeof(name)) end
for _, name in ipairs(arg) do print(name, C[name]) end

local failure = ffi.new "dl_auth_error_t"
failure.size = ffi.sizeof(failure)
local function must(code) assert(code == C.DL_AUTH_OK, ffi.string(failure.message)) end

local config = C.dl_auth_config_new()
must(C.dl_auth_config_set(config, "url", os.getenv "GATE_URL", failure))
local credentials = { "DL_AUTH_USERNAME=" .. os.getenv "GATE_USERNAME", "DL_AUTH_PASSWORD=" .. os.getenv "GATE_PASSWORD",
  "DL_AUTH_CA_FILE=" .. os.getenv "GATE_CA_FILE" }
must(C.dl_auth_config_set_environ(config, ffi.new("const char *[4]", credentials), failure))
local auth = ffi.new "dl_auth_t *[1]"
must(C.dl_auth_new(config, auth, failure))
C.dl_auth_config_free(config)

local buffer, info = ffi.new("char[?]", C.DL_AUTH_TOKEN_MAX), ffi.new "dl_auth_info_t"
must(C.dl_auth_token(auth[0], buffer, C.DL_AUTH_TOKEN_MAX, nil, failure))
print("token", ffi.string(buffer))
info.size = ffi.sizeof(info)
must(C.dl_auth_info(auth[0], info, failure))
assert(info.state == C.DL_AUTH_STATE_FRESH and info.logins == 1)
C.dl_auth_free(auth[0])
assert(C.dl_auth_token(auth[0], buffer, C.DL_AUTH_TOKEN_MAX, nil, failure) == C.DL_AUTH_E_CLOSED)
assert(failure.status == C.DL_AUTH_E_CLOSED)
