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

-- names: begin, made by `make names`
---@class dl_auth.Options
---@field username? string the user, or bot, to log in as. Must be text, not empty. Default: none.
---@field password? string its password; held zeroised, never logged. Must be text, not empty. Default: none.
---@field password_file? string read when a handle is made, before its password is sent, and while that is refused at most once a second; a line end at its end does not count. Must be the path of a regular file that holds the password. Default: none.
---@field token? string a ready token, such as an API key: handed out until its `exp`, never refreshed; excludes the credentials. Must be a JWT with an `exp` that is not past. Default: none.
---@field environment? string which gate of the service; `url` wins over it. Must be `prod`, `rc`, `dev`, `new-dev`, `aws` or `local`. Default: prod.
---@field url? string the gate to log in at; `http` only to a loopback address and with `allow_http=true`. Must be an https URL without credentials: a gate, its API base, or its /token endpoint. Default: by `environment`.
---@field ca_file? string certificates trusted besides the roots, or a self-signed server certificate itself; read when a handle is made. Must be the path of a file with at least one certificate: PEM, or one certificate as DER. Default: none.
---@field tls_roots? string whom to trust; `auto`: the system's roots, else the bundled ones. Must be `auto`, `system`, `bundled` or `ca_file_only`. Default: auto.
---@field proxy? string the proxy to the gate; percent-encode its user and password; `none`: no proxy, whatever the environment says; `NO_PROXY`, read as curl reads it, lists hosts that `HTTPS_PROXY` is not used for. Must be an http or https URL, or `none`. Default: `HTTPS_PROXY`, `NO_PROXY`.
---@field connect_timeout? string the most that a connection may take, TLS included. Must be a duration from 1ms to 5m, such as 500ms, 30s or 2m. Default: 10s.
---@field timeout? string the most that one whole refresh may take, DNS and retries included. Must be a duration from 1ms to 10m, such as 500ms, 30s or 2m. Default: 30s.
---@field wait? string the most that `dl_auth_token` holds its caller while there is no valid token. Must be a duration from 0s to 10m, such as 500ms, 30s or 2m. Default: 30s.
---@field refresh? string what starts a refresh: a caller that finds it due, or with `background` a timer as well, with no call needed. Must be `on_demand` or `background`. Default: on_demand.
---@field refresh_at? string|number the part of a token's life after which a refresh is due. Must be a number from 0.1 to 0.9. Default: 0.8.
---@field refresh_grant? string|boolean use the refresh token before the password. Must be `true` or `false`. Default: true.
---@field max_attempts? string|number tries within one refresh, of what may pass by itself. Must be a whole number from 1 to 10. Default: 3.
---@field store? string where processes share a token; any but `none` is not built yet: `DL_AUTH_E_UNSUPPORTED`. Must be `none`, `file:DIR` or `redis://HOST`. Default: none.
---@field store_required? string|boolean fail rather than log in unshared; without a `store` it changes nothing. Must be `true` or `false`. Default: false.
---@field user_agent? string appended to `dl_auth/VERSION` in each request. Must be visible ASCII characters and spaces, at most 200. Default: none.
---@field allow_http? string|boolean take an `http` URL to a loopback address, for tests. Must be `true` or `false`. Default: false.

--- What a call can fail with, by name: `err.status == dl_auth.status.DENIED`.
local status = {
  NULL_ARGUMENT = -1, -- A pointer that must not be NULL is, or a struct was not initialised
  NOT_UTF8 = -2, -- A string is not UTF-8
  BUFFER_TOO_SMALL = -3, -- Grow the buffer to `*len + 1` bytes and call again
  CLOSED = -4, -- The handle was freed, before the call or during it; or dl_auth_new never made it
  UNKNOWN_KEY = -10, -- There is no such option
  INVALID_VALUE = -11, -- A value has not the form that its key needs
  NO_CREDENTIALS = -12, -- There is no username or no password, neither from a call nor from the environment
  UNSUPPORTED = -13, -- The option is known, but not built into this library
  DENIED = -20, -- The gate refused the credentials: HTTP 401, or 400 or 403 in the gate's own form
  PENDING = -30, -- The call may not wait (`wait_ms`, or `wait`, is 0) and there is no token that serves; a refresh is under way, or no thread could be made for it
  TIMEOUT = -31, -- The time that the call may wait, or the limit of the refresh or of its connection (`connect_timeout`), ran out: the message says what took it, such as a firewall that drops packets
  UNREACHABLE = -32, -- No connection: a name that does not resolve, a refused or broken connection, a proxy that says no
  RATE_LIMITED = -33, -- HTTP 429: the gate has had too many requests
  GATE = -34, -- HTTP 5xx, 408, 425, or a 400 or 403 that is not in the gate's own form: the gate, or what is before it, is not well
  BAD_RESPONSE = -35, -- An answer that no gate gives: not JSON, too large, a redirect, 404, no `id_token`, no JWT, no usable `exp`, or a token that has ended already
  TOO_SHORT = -36, -- The token has less life than was asked for, and a new one would live no longer: ask for less
  TLS = -40, -- TLS failed: a certificate that is not trusted, for another host, or expired; or no TLS at that port
  STORE = -41, -- The shared store cannot be used, and `store_required` is set
  BAD_JWT = -50, -- What was given to dl_auth_jwt_claims or dl_auth_jwt_expiry is no JWT, or has no usable `exp`
  INTERNAL = -99, -- A bug in the library: a panic was caught
}
-- names: end, made by `make names`

--- Why a call failed: the second result, after nil. As text it is its message.
---@class dl_auth.Error
---@field status integer one of `dl_auth.status`
---@field name string the status's name there, such as "DENIED"
---@field http_status integer of the answer that caused the failure; 0: there was no answer
---@field retry_after_ms number until the library itself tries again; 0: at the next call, or never
---@field message string what happened, to what, and what to do; never empty, and without secrets
local Error = {}
function Error.__tostring(err) return err.message end
function Error.__concat(left, right) return tostring(left) .. tostring(right) end

-- Runs once for each Lua state, even if this file runs several times, because LuaJIT's table of types only grows and has a
-- limit. The structs have separate names and are passed as `void *`, so that a program may declare the library's header
-- too. If you change a declaration, change the number at the end of these names.
if not pcall(ffi.typeof, "dl_auth_lua_info_1") then
  ffi.cdef [[
    typedef struct {
      uint32_t size;
      int32_t status;
      uint32_t http_status, reserved;
      uint64_t retry_after_ms;
      char message[512];
    } dl_auth_lua_error_1;

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
    } dl_auth_lua_info_1;

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
    local failure = ffi.new "dl_auth_lua_error_1"
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
--- "fresh", "due" or "expired", and `activity` "idle", "refreshing", "cooling" or "denied".
---@return table? info, dl_auth.Error? err
function Auth:info()
  local state = states[self]
  if not state then return no_auth(self) end
  local seen, out = ffi.new "dl_auth_lua_info_1", take()
  seen.size = ffi.sizeof(seen)
  local ok, err = done(out, library.dl_auth_info(state.handle, ffi.cast("void *", seen), out.error))
  if not ok then return nil, err end
  local info = { state = STATES[seen.state] or seen.state, activity = ACTIVITIES[seen.activity] or seen.activity }
  for _, name in ipairs(NUMBERS) do info[name] = tonumber(seen[name]) end
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
