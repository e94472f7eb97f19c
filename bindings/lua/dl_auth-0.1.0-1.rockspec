rockspec_format = "3.0"
package = "dl_auth"
version = "0.1.0-1"
source = {
  url = "git+https://github.com/dataloop-ai/dl_auth.git",
  tag = "v0.1.0",
  dir = "dl_auth/bindings/lua",
}
description = {
  summary = "Gives a Lua state a Dataloop token that is always valid",
  detailed = "The module needs LuaJIT 2.1 (LuaRocks counts it as Lua 5.1) and the C library dl_auth.",
  license = "MIT OR Apache-2.0",
}
dependencies = { "lua == 5.1" }
-- The name that the module loads. It is a name at run time, so a rock needs no development files.
external_dependencies = { DL_AUTH = { library = "libdl_auth.so.0" } }
build = {
  type = "builtin",
  modules = { dl_auth = "dl_auth.lua" },
  copy_directories = { "example" },
}
