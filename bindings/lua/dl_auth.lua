-- dl_auth: a Dataloop token for LuaJIT, over the C library of that name.
--
--   local dl_auth = require "dl_auth"
--   local auth = assert(dl_auth.new()) -- configured by DL_AUTH_USERNAME and so on
--   local header = assert(auth:bearer()) -- before each request: while the token is valid, that is a copy
--
-- A call that fails returns nil and an error. Only `require` throws, if the library is missing or too old. The library
-- never calls Lua, so no coroutine, trace or collector runs inside a call.
--
-- One auth serves all coroutines of its Lua state. A call that may wait blocks the whole state. A program that must not
-- block calls `auth:token(0)`.

local ffi = require "ffi"

-- names: begin, made by `make generate`
---@class dl_auth.Options
---@field username? string The user or the bot to log in as. Must be text, not empty. Default: none.
---@field password? string The password of `username`. The library wipes its copies of it and never logs it. Must be text, not empty. Default: none.
---@field password_file? string A file with the password. It is read when a handle is made and each time before its password is sent. While the gate refuses the password, it is read at most once per second. A line end at the end of the file is not part of the password. Must be the path of a regular file that holds the password. Default: none.
---@field token? string A ready token, such as an API key. It is returned until its `exp` and is never refreshed. It cannot be set together with the credentials. Must be a JWT with an `exp` in the future. Default: none.
---@field environment? string The environment of the service: it selects the gate. `url` has priority over it. `prod`: https://gate.dataloop.ai; `rc`: https://rc-gate.dataloop.ai; `dev`: https://dev-gate.dataloop.ai; `new-dev`: https://custom1-gate.dataloop.ai; `aws`: https://poc-gate.dataloop.ai; `local`: https://localhost:8443. Must be `prod`, `rc`, `dev`, `new-dev`, `aws` or `local`. Default: `prod`.
---@field url? string The gate to log in at. An `http` URL is accepted only with a loopback address and with `allow_http=true`. Must be an https URL without credentials: of a gate, with no path, `/api/v1` or `/token`. Default: by `environment`.
---@field ca_file? string Certificates to trust in addition to the roots, or a self-signed server certificate itself. The file is read when a handle is made. Must be the path of a file with at least one certificate: PEM, or one certificate as DER. Default: none.
---@field tls_roots? string The root certificates to trust. `auto`: the system's roots; the bundled roots if the system has none, and on Windows also if it lacks the issuer; `system`: only the system's roots; `bundled`: only the roots in this library; `ca_file_only`: only the certificates in `ca_file`. Must be `auto`, `system`, `bundled` or `ca_file_only`. Default: `auto`.
---@field proxy? string The proxy to the gate. Percent-encode special characters of user and password. `none`: no proxy, even if the environment sets one. `NO_PROXY` is a list of hosts, read as curl reads it: the library bypasses the proxy of `HTTPS_PROXY` for these hosts and their subdomains. Must be an http or https URL, or `none`. Default: `HTTPS_PROXY`, `NO_PROXY`.
---@field connect_timeout? string The maximum time for one connection, TLS included and DNS not included. Must be a duration from 1ms to 5m, such as 500ms, 30s or 2m. Default: `10s`.
---@field timeout? string The maximum time for one whole refresh, DNS and retries included. Must be a duration from 1ms to 10m, such as 500ms, 30s or 2m. Default: `30s`.
---@field wait? string The maximum time that `dl_auth_token` blocks while there is no valid token. Must be a duration from 0s to 10m, such as 500ms, 30s or 2m. Default: `30s`.
---@field refresh? string What starts a refresh. `on_demand`: a call that finds that a refresh is due; `background`: such a call, and also a timer, which needs no call. Must be `on_demand` or `background`. Default: `on_demand`.
---@field refresh_at? string|number The part of a token's life after which a refresh is due. Must be a number from 0.1 to 0.9. Default: `0.8`.
---@field refresh_grant? string|boolean Whether to use the refresh token before the password. Must be `true` or `false`. Default: `true`.
---@field max_attempts? string|number The maximum number of attempts in one refresh. Only failures that may be temporary are retried. Must be a whole number from 1 to 10. Default: `3`.
---@field store? string Where processes share a token, a failure and a refusal. `file:DIR`: a directory (an absolute path) that the processes of one user on one machine use. `redis://`, or `rediss://` with TLS: a Redis server that the machines of a fleet use. What is shared is encrypted with the credentials. A library that was built without Redis refuses such a URL with `DL_AUTH_E_UNSUPPORTED`. Must be `none`, `file:DIR` or `redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]` (with TLS: `rediss://`). Default: `none`.
---@field store_required? string|boolean Whether a refresh fails with `DL_AUTH_E_STORE` if the store cannot be used, instead of a login that is not shared. It has no effect without a `store`. Must be `true` or `false`. Default: `false`.
---@field user_agent? string Text that is appended to `dl_auth/VERSION` in each request. Must be visible ASCII characters and spaces, at most 200. Default: none.
---@field allow_http? string|boolean Whether to accept an `http` URL with a loopback address. This is for tests. Must be `true` or `false`. Default: `false`.

--- The reasons of a failed call, by name: `err.status == dl_auth.status.DENIED`.
local status = {
  NULL_ARGUMENT = -1, -- A pointer is NULL and must not be NULL, or a struct is not initialised. Fix the call.
  NOT_UTF8 = -2, -- A string is not UTF-8. Fix the call.
  BUFFER_TOO_SMALL = -3, -- The buffer is too small for the text and its NUL. Grow the buffer to `*len + 1` bytes and call again.
  CLOSED = -4, -- The handle was freed, before or during the call. Or dl_auth_new did not return this handle. Make a new handle.
  UNKNOWN_KEY = -10, -- There is no option with this name. Fix the configuration. The message names the most similar option.
  INVALID_VALUE = -11, -- A value is not valid for this option. Fix the configuration. The message names the option, describes a valid value, and gives the source of the value: a call or an environment variable.
  NO_CREDENTIALS = -12, -- The username or the password is missing, both in the calls and in the environment. Or a ready `token` has expired or was rejected, and there are no credentials to log in with. Set a username and a password, or a ready token.
  UNSUPPORTED = -13, -- The option exists, but this library is built without the feature. Do not set the option.
  DENIED = -20, -- The gate refused the credentials: HTTP 401, or HTTP 400 or 403 with a JSON object in the body. Correct the credentials, or ask their issuer.
  PENDING = -30, -- No valid token yet; refresh in progress. The call may not wait, because `wait_ms` or `wait` is 0. The status is the same if no thread could be created for the refresh. Call again later.
  TIMEOUT = -31, -- A time limit ended: the time that the call may wait, the limit of the refresh (`timeout`), or the limit of its connection (`connect_timeout`). Call again. The message says what took the time, such as a firewall that drops packets.
  UNREACHABLE = -32, -- There is no connection: a name does not resolve, a connection is refused or broken, or a proxy refuses it. Check the network and the proxy. Call again.
  RATE_LIMITED = -33, -- The gate received too many requests (HTTP 429). Wait for `retry_after_ms`, then call again.
  GATE = -34, -- Server error: HTTP 5xx, 408 or 425, or HTTP 400 or 403 without a JSON object in the body. The gate, or a server before it, has a problem. Call again.
  BAD_RESPONSE = -35, -- The answer is not that of a gate: it is not JSON, is too large, is a redirect or HTTP 404, or has no `id_token`. Or the token in it is not a JWT, has no usable `exp`, or has expired. Check `url`, and the servers between this machine and the gate.
  TOO_SHORT = -36, -- The cached token is not valid for as long as requested. If `retry_after_ms` is 0, a new token would not be valid for longer. Otherwise the minimum interval after the last refresh is not over. If `retry_after_ms` is 0, request less (`min_valid_ms`). Otherwise call again after that time.
  TLS = -40, -- TLS failed: a certificate is not trusted, is for another host, or has expired. Or the port does not use TLS, the server requires a client certificate, or there are no root certificates. Read the message: it names the certificate or the problem.
  STORE = -41, -- The shared store cannot be used, and `store_required` is set. Read the message: it names the store and the problem. Correct it, or remove `store_required`.
  BAD_JWT = -50, -- The text given to dl_auth_jwt_claims or dl_auth_jwt_expiry is not a JWT, or has no usable `exp`. Fix the text.
  INTERNAL = -99, -- There is a bug in the library, and the library caught a panic. The handle and its token stay usable. Report the bug.
}
-- names: end

--- Why a call failed: the second result, after nil. As text it is its message.
---@class dl_auth.Error
---@field status integer one of `dl_auth.status`
---@field name string the status's name there, such as "DENIED"
---@field http_status integer of the answer that caused the failure; 0: there was no answer
---@field retry_after_ms number until the next refresh can start; 0: a call can start it, or no refresh can help
---@field message string what happened, to what, and what to do; never empty, and without secrets
local Error = {}
function Error.__tostring(err) return err.message end
function Error.__concat(left, right) return tostring(left) .. tostring(right) end

-- Runs once for each Lua state, even if this file runs several times, because LuaJIT's table of types only grows and has a
-- limit. The structs have separate names and are passed as `void *`, so that a program may declare the library's header
-- too. If you change a declaration, change the number at the end of these names.
if not pcall(ffi.typeof, "dl_auth_lua_info_2") then
  ffi.cdef [[
    typedef struct {
      uint32_t size;
      int32_t status;
      uint32_t http_status, reserved;
      uint64_t retry_after_ms;
      char message[512];
    } dl_auth_lua_error_2;

    typedef struct {
      uint32_t size;
      int32_t state, activity;
      uint32_t reserved;
      uint64_t generation;
      int64_t issued_at, expires_at, expires_in_ms, refresh_in_ms, clock_skew_ms;
      uint64_t logins, refreshes, failures, shared_hits, store_failures, waiting;
      int32_t last_status;
      uint32_t last_http_status;
      int64_t retry_in_ms;
      uint64_t wait_ms;
      char store_message[256];
    } dl_auth_lua_info_2;

    struct dl_auth_config_t *dl_auth_config_new(void);
    int32_t dl_auth_config_set(struct dl_auth_config_t *config, const char *key, const char *value, void *error);
    int32_t dl_auth_config_set_environ(struct dl_auth_config_t *config, const char *const *variables, void *error);
    void dl_auth_config_free(struct dl_auth_config_t *config);

    int32_t dl_auth_new(const struct dl_auth_config_t *config, struct dl_auth_t **auth, void *error);
    void dl_auth_free(struct dl_auth_t *auth);
    int32_t dl_auth_token(const struct dl_auth_t *auth, char *buf, size_t cap, size_t *len, void *error);
    int32_t dl_auth_token_within(const struct dl_auth_t *auth, uint64_t min_valid_ms, uint64_t wait_ms, char *buf,
                                 size_t cap, size_t *len, void *error);
    int32_t dl_auth_bearer(const struct dl_auth_t *auth, char *buf, size_t cap, size_t *len, void *error);
    int32_t dl_auth_claims(const struct dl_auth_t *auth, char *buf, size_t cap, size_t *len, void *error);
    uint64_t dl_auth_generation(const struct dl_auth_t *auth);
    int32_t dl_auth_info(const struct dl_auth_t *auth, void *info, void *error);
    int32_t dl_auth_invalidate(const struct dl_auth_t *auth, const char *rejected_token, void *error);
    int32_t dl_auth_set_credentials(const struct dl_auth_t *auth, const char *username, const char *password,
                                    void *error);

    int32_t dl_auth_jwt_claims(const char *jwt, char *buf, size_t cap, size_t *len, void *error);
    int32_t dl_auth_jwt_expiry(const char *jwt, int64_t *unix_seconds, void *error);
    const char *dl_auth_status_name(int32_t status);
    const char *dl_auth_version(void);
    uint32_t dl_auth_abi_version(void);
  ]]
  ffi.cdef "unsigned long getauxval(unsigned long type); int issetugid(void);"
end

local NEEDED_ABI = 1
local BUFFER_SIZE = 8199 -- DL_AUTH_BEARER_MAX: every token and its claims fit as well

--- The file that an address of this process comes from, if the system says so (Linux).
local function file_of(address)
  local maps, file = io.open "/proc/self/maps", nil
  if not maps then return end
  for line in maps:lines() do
    local first, past, path = line:match "^(%x+)%-(%x+) .-(/.*)$"
    if first and address >= tonumber(first, 16) and address < tonumber(past, 16) then file = path end
  end
  maps:close()
  return file
end

--- Whether the program has more rights than its user: set-user-ID, set-group-ID, or capabilities of its file. It must not
--- load a library that the environment names, because an unprivileged user has written the environment.
local function is_privileged()
  local is_linux, is_secure = pcall(function() return ffi.C.getauxval(23) ~= 0 end) -- AT_SECURE
  if is_linux then return is_secure end
  local is_bsd, is_set_id = pcall(function() return ffi.C.issetugid() ~= 0 end) -- macOS too
  return is_bsd and is_set_id
end

--- The library's namespace. Throws if the library is missing or not usable.
local function open_library()
  local given = os.getenv "DL_AUTH_LIBRARY"
  if given == "" or is_privileged() then given = nil end
  local name = given or (ffi.os == "Linux" and "libdl_auth.so.0" or "dl_auth")
  local function refuse(...) error(table.concat { "dl_auth: the library ", name, ... }, 0) end

  local is_found, library = pcall(ffi.load, name)
  if not is_found and given then refuse(", which DL_AUTH_LIBRARY names, cannot be loaded: ", library) end
  if not is_found then
    local path = ffi.os == "Linux" and ('LD_LIBRARY_PATH ("%s") and '):format(os.getenv "LD_LIBRARY_PATH" or "") or ""
    refuse(" cannot be loaded: ", library, "; looked in ", path, "the system's directories; DL_AUTH_LIBRARY can name a ",
      "file elsewhere")
  end
  local is_ours, abi = pcall(function() return library.dl_auth_abi_version() end)
  if not is_ours then refuse(" is not dl_auth: ", abi) end
  if abi < NEEDED_ABI then
    local file = file_of(tonumber(ffi.cast("uintptr_t", library.dl_auth_abi_version))) or "where the loader found it"
    local version = ffi.string(library.dl_auth_version())
    refuse(" (", file, ") is too old: version ", version, " has ABI ", abi, ", and ABI ", NEEDED_ABI, " is needed")
  end
  return library
end

local library = open_library()

--- Frees a handle that the collector has found. It is not the C function itself: this closure holds `library`. Otherwise
--- the collector could close the library first.
local function free(handle) library.dl_auth_free(handle) end

local status_names = {}
for name, code in pairs(status) do status_names[code] = name end

---@return nil, dl_auth.Error
local function fail(code, message, http_status, retry_after_ms)
  local name = status_names[code] or ffi.string(library.dl_auth_status_name(code)):gsub("^DL_AUTH_E_", "")
  local err = { status = code, name = name, http_status = http_status or 0, retry_after_ms = retry_after_ms or 0 }
  err.message = message ~= "" and message or "DL_AUTH_E_" .. name
  return nil, setmetatable(err, Error)
end

-- The memory into which C writes the results of a call. A call takes it until it ends. If the collector runs a finaliser in
-- between, and that finaliser calls this module, it finds no spare memory and gets separate memory.
local spare

local function take()
  local out = spare
  spare = nil
  if not out then
    local failure = ffi.new "dl_auth_lua_error_2"
    out = { buffer = ffi.new("char[?]", BUFFER_SIZE), length = ffi.new "size_t[1]", failure = failure }
    out.error = ffi.cast("void *", failure)
  end
  ffi.fill(out.failure, ffi.sizeof(out.failure))
  out.failure.size = ffi.sizeof(out.failure)
  return out
end

--- Ends a call: true, or nil and its error.
local function done(out, code)
  local failure = out.failure
  local message, http_status = ffi.string(failure.message), failure.http_status
  local retry_after_ms = tonumber(failure.retry_after_ms)
  spare = out
  if code ~= 0 then return fail(code, message, http_status, retry_after_ms) end
  return true
end

--- Ends a call that copies text: the text, or nil and its error.
local function text(out, code, buffer)
  local copied = ffi.string(buffer or out.buffer, code == 0 and out.length[0] or 0)
  local ok, err = done(out, code)
  if not ok then return nil, err end
  return copied
end

--- True for a string without a NUL. Otherwise nil and an error, which never contains the value.
local function is_text(value, name)
  if value == nil then return fail(status.NULL_ARGUMENT, name .. " is nil") end
  if type(value) ~= "string" then
    return fail(status.INVALID_VALUE, name .. " must be a string, and is a " .. type(value))
  end
  if value:find("\0", 1, true) then return fail(status.INVALID_VALUE, name .. " contains a NUL character") end
  return true
end

--- Milliseconds for C: rounded up; 0 for a negative number, the maximum for a very large one.
local function milliseconds(value, name)
  if value == nil then return fail(status.NULL_ARGUMENT, name .. " is nil") end
  if type(value) ~= "number" or value ~= value then
    local given = type(value) == "number" and "NaN" or "a " .. type(value)
    return fail(status.INVALID_VALUE, name .. " must be a number of milliseconds, and is " .. given)
  end
  return math.min(math.max(math.ceil(value), 0), 2 ^ 53)
end

-- The state of each auth: its handle, the copy of its token, and the copy's generation. It is kept here and not in the auth,
-- so that a program that prints its tables prints no token.
local states = setmetatable({}, { __mode = "k" })

---@return nil, dl_auth.Error
local function no_auth(self)
  if self == nil then return fail(status.NULL_ARGUMENT, "auth is nil: a method is called as auth:token()") end
  return fail(status.INVALID_VALUE, "auth must be what dl_auth.new returned, and is another " .. type(self))
end

--- A handle for one user's token. `close` or the garbage collector frees it.
---@class dl_auth.Auth
local Auth = {}
Auth.__index = Auth

--- Returns the cached token immediately if it is valid. Otherwise starts a refresh, or joins the one in flight, and blocks
--- for up to `wait_ms` (default: the option `wait`). With 0 it does not block: `PENDING` then means that a refresh is in
--- flight.
---@param wait_ms? number
---@return string? token, dl_auth.Error? err
function Auth:token(wait_ms)
  local state = states[self]
  if not state then return no_auth(self) end
  local limit, err
  if wait_ms ~= nil then
    limit, err = milliseconds(wait_ms, "wait_ms")
    if not limit then return nil, err end
  end
  local generation = tonumber(library.dl_auth_generation(state.handle))
  if generation == state.generation then return state.copy end

  local out, token = take(), nil
  local handle, buffer, length = state.handle, out.buffer, out.length
  if limit then
    token, err = text(out, library.dl_auth_token_within(handle, 0, limit, buffer, BUFFER_SIZE, length, out.error))
  else
    token, err = text(out, library.dl_auth_token(handle, buffer, BUFFER_SIZE, length, out.error))
  end
  if not token then return nil, err end
  if generation ~= 0 and generation == tonumber(library.dl_auth_generation(state.handle)) then
    state.generation, state.copy = generation, token -- the generation was the same before and after the call
  end
  return token
end

--- As `token`, but one that is valid for another `min_valid_ms`. `TOO_SHORT`: the gate's tokens are not valid for so long,
--- or, if `retry_after_ms` is not 0, another token may be fetched only then.
---@param min_valid_ms number
---@param wait_ms number
---@return string? token, dl_auth.Error? err
function Auth:token_within(min_valid_ms, wait_ms)
  local state = states[self]
  if not state then return no_auth(self) end
  local need, limit, err
  need, err = milliseconds(min_valid_ms, "min_valid_ms")
  if not need then return nil, err end
  limit, err = milliseconds(wait_ms, "wait_ms")
  if not limit then return nil, err end
  local out = take()
  local handle, buffer, length = state.handle, out.buffer, out.length
  return text(out, library.dl_auth_token_within(handle, need, limit, buffer, BUFFER_SIZE, length, out.error))
end

--- As `token`, but "Bearer <token>": the value of the header Authorization.
---@return string? header, dl_auth.Error? err
function Auth:bearer()
  local state = states[self]
  if not state then return no_auth(self) end
  local out = take()
  return text(out, library.dl_auth_bearer(state.handle, out.buffer, BUFFER_SIZE, out.length, out.error))
end

--- As `token`, but returns its claims: a JSON object, as the gate wrote it. Lua has no JSON; use any library for it.
---@return string? json, dl_auth.Error? err
function Auth:claims()
  local state = states[self]
  if not state then return no_auth(self) end
  local out = take()
  return text(out, library.dl_auth_claims(state.handle, out.buffer, BUFFER_SIZE, out.length, out.error))
end

--- The number of the current token, counted from 1. 0 if a refresh is due. While the number is the same, the token is the
--- same. (Numbers of 64 bits become Lua numbers, exact up to 2^53.)
---@return number? generation, dl_auth.Error? err
function Auth:generation()
  local state = states[self]
  if not state then return no_auth(self) end
  return tonumber(library.dl_auth_generation(state.handle))
end

local STATES = { [0] = "empty", "fresh", "due", "expired" }
local ACTIVITIES = { [0] = "idle", "refreshing", "cooling", "denied" }
local NUMBERS = {
  "generation", "issued_at", "expires_at", "expires_in_ms", "refresh_in_ms", "clock_skew_ms", "logins", "refreshes",
  "failures", "shared_hits", "store_failures", "waiting", "last_status", "last_http_status", "retry_in_ms", "wait_ms",
}

--- The state of the auth, without waiting: the fields of `dl_auth_info_t` as numbers, except that `state` is "empty",
--- "fresh", "due" or "expired", `activity` is "idle", "refreshing", "cooling" or "denied", and `store_message` is text.
---@return table? info, dl_auth.Error? err
function Auth:info()
  local state = states[self]
  if not state then return no_auth(self) end
  local seen, out = ffi.new "dl_auth_lua_info_2", take()
  seen.size = ffi.sizeof(seen)
  local ok, err = done(out, library.dl_auth_info(state.handle, ffi.cast("void *", seen), out.error))
  if not ok then return nil, err end
  local info = { state = STATES[seen.state] or seen.state, activity = ACTIVITIES[seen.activity] or seen.activity }
  for _, name in ipairs(NUMBERS) do info[name] = tonumber(seen[name]) end
  info.store_message = ffi.string(seen.store_message)
  return info
end

--- Reports that the platform refused this token with 401. If it is still the current token, the next call gets another.
---@param rejected_token string
---@return true? ok, dl_auth.Error? err
function Auth:invalidate(rejected_token)
  local state = states[self]
  if not state then return no_auth(self) end
  local ok, err = is_text(rejected_token, "rejected_token")
  if not ok then return nil, err end
  local out = take()
  return done(out, library.dl_auth_invalidate(state.handle, rejected_token, out.error))
end

--- Replaces the credentials. `username` nil keeps the current username.
---@param username string?
---@param password string
---@return true? ok, dl_auth.Error? err
function Auth:set_credentials(username, password)
  local state = states[self]
  if not state then return no_auth(self) end
  local ok, err = username == nil, nil
  if not ok then ok, err = is_text(username, "username") end
  if ok then ok, err = is_text(password, "password") end
  if not ok then return nil, err end
  local out = take()
  return done(out, library.dl_auth_set_credentials(state.handle, username, password, out.error))
end

--- Frees the handle. Each later call fails with `CLOSED`. A second `close` does nothing. It does not wait for a refresh in
--- flight.
---@return true? ok, dl_auth.Error? err
function Auth:close()
  local state = states[self]
  if not state then return no_auth(self) end
  ffi.gc(state.handle, nil)
  library.dl_auth_free(state.handle) -- the library recognises a freed handle
  state.generation, state.copy = nil, nil
  return true
end

--- Options for C, in the order of their keys, so that of several faults the same one is always reported.
local function settings(options)
  if options == nil then options = {} end
  if type(options) ~= "table" then
    return fail(status.INVALID_VALUE, "options must be a table, and is a " .. type(options))
  end
  local keys, texts = {}, {}
  for key in next, options do
    local ok, err = is_text(key, "a key of options")
    if not ok then return nil, err end
    if key ~= "environ" then keys[#keys + 1] = key end
  end
  table.sort(keys)
  for _, key in ipairs(keys) do
    local value = options[key]
    if type(value) == "boolean" or type(value) == "number" then value = tostring(value) end
    local ok, err = is_text(value, "the option `" .. key .. "`")
    if not ok then return nil, err end
    texts[key] = value
  end
  return keys, texts
end

--- Variables for C, "NAME=VALUE", in a list. nil without an error if no variables are given.
local function entries(environ)
  if environ == nil then return end
  if type(environ) ~= "table" then
    return fail(status.INVALID_VALUE, "environ must be a table, and is a " .. type(environ))
  end
  local list = {}
  for name, value in next, environ do
    if type(name) == "number" then
      return fail(status.INVALID_VALUE, 'environ has no names: write environ = { NAME = "value" }')
    end
    local ok, err = is_text(name, "a name in environ")
    if ok and (name == "" or name:find("=", 1, true)) then
      ok, err = fail(status.INVALID_VALUE, "a name in environ is empty, or holds a =")
    end
    if ok then ok, err = is_text(value, "the variable " .. name .. " in environ") end
    if not ok then return nil, err end
    list[#list + 1] = name .. "=" .. value
  end
  table.sort(list)
  return list
end

local dl_auth = { status = status }

--- Makes an auth. An option that is not set comes from the environment (DL_AUTH_USERNAME and so on). Otherwise it has its
--- default. Numbers and booleans are allowed. It sends nothing: the first call for a token logs in.
---
--- The option `environ` maps names of variables to values, and is used instead of the environment of the process, which
--- is then not read. With {} there are no variables.
---@param options? dl_auth.Options|{ environ?: table<string, string> }
---@return dl_auth.Auth? auth, dl_auth.Error? err
function dl_auth.new(options)
  local keys, texts = settings(options)
  if not keys then return nil, texts end
  local variables, err = entries(options and options.environ)
  if err then return nil, err end
  local out, handle = take(), ffi.new "struct dl_auth_t *[1]"
  local config, code = library.dl_auth_config_new(), 0
  for _, key in ipairs(keys) do
    if code == 0 then code = library.dl_auth_config_set(config, key, texts[key], out.error) end
  end
  if code == 0 and variables then
    local array = ffi.new("const char *[?]", #variables + 1) -- the last one stays NULL
    for n, entry in ipairs(variables) do array[n - 1] = entry end -- `variables` keeps the strings alive
    code = library.dl_auth_config_set_environ(config, array, out.error)
  end
  if code == 0 then code = library.dl_auth_new(config, handle, out.error) end
  library.dl_auth_config_free(config)
  local ok
  ok, err = done(out, code)
  if not ok then return nil, err end
  local auth = setmetatable({}, Auth)
  states[auth] = { handle = ffi.gc(handle[0], free) }
  return auth
end

--- The claims of any JWT: a JSON object. Its signature is not checked.
---@param jwt string
---@return string? json, dl_auth.Error? err
function dl_auth.jwt_claims(jwt)
  local ok, err = is_text(jwt, "jwt")
  if not ok then return nil, err end
  local out, buffer = take(), ffi.new("char[?]", #jwt + 1) -- a JWT's claims are shorter than the JWT
  return text(out, library.dl_auth_jwt_claims(jwt, buffer, #jwt + 1, out.length, out.error), buffer)
end

--- When a JWT expires, in Unix seconds.
---@param jwt string
---@return number? unix_seconds, dl_auth.Error? err
function dl_auth.jwt_expiry(jwt)
  local ok, err = is_text(jwt, "jwt")
  if not ok then return nil, err end
  local out, expiry = take(), ffi.new "int64_t[1]"
  ok, err = done(out, library.dl_auth_jwt_expiry(jwt, expiry, out.error))
  if not ok then return nil, err end
  return tonumber(expiry[0])
end

--- The version of the library, such as "1.2.3".
---@return string
function dl_auth.version() return ffi.string(library.dl_auth_version()) end

return dl_auth
