-- What the binding declares for itself is what include/dl_auth.cdef.h declares.

local ffi = require "ffi"
require "dl_auth"

local function read(path)
  local file = assert(io.open(path))
  local text = file:read "*a"
  file:close()
  return text
end

local declarations = read(os.getenv "DECLARATIONS")
ffi.cdef(declarations)

-- The structs: the same size, and each field at the same place.
for _, name in ipairs { "error", "info" } do
  local theirs, ours = "dl_auth_" .. name .. "_t", "dl_auth_lua_" .. name .. "_2"
  assert(ffi.sizeof(ours) == ffi.sizeof(theirs), name)
  local fields, count = declarations:match("typedef struct " .. theirs .. " {(.-)} "), 0
  for field in fields:gmatch " ([%w_]+)[%[%d%]]*;" do
    assert(ffi.offsetof(ours, field) == ffi.offsetof(theirs, field), field)
    count = count + 1
  end
  assert(count >= 6, count)
end

-- The functions: the binding spells out the status, and has `void *` for its structs.
local function squeezed(text) return (text:gsub("%s+", " "):gsub("^ ", "")) end
local known = squeezed(declarations):gsub("dl_auth_status_t", "int32_t"):gsub("dl_auth_error_t %*", "void *")
  :gsub("dl_auth_info_t %*", "void *"):gsub("dl_auth_config_t", "struct dl_auth_config_t"):gsub("dl_auth_t%f[^%w_]", "struct dl_auth_t")
local count = 0
for declaration in read(package.searchpath("dl_auth", package.path)):match("ffi%.cdef %[%[(.-)%]%]"):gmatch "[^;{}]+%b()" do
  assert(known:find(squeezed(declaration) .. ";", 1, true), declaration)
  count = count + 1
end
assert(count == 19, count) -- all but dl_auth_config_key
