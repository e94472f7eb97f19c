"""LuaRocks: the module, its rockspec, and what belongs to them. The package contains no library."""

from common import LICENCES, LUA, give_up, tree, version, write_tar


def pack(out, _targets):
    rockspec = f"dl_auth-{version()}-1.rockspec"
    if not (LUA / rockspec).is_file():
        give_up(f"bindings/lua/{rockspec} is missing: name the rockspec after the version of the library")
    files = tree(LUA, rockspec, "dl_auth.lua", "README.md", "example/*.lua", *LICENCES)
    name = f"dl_auth-lua-{version()}"
    yield write_tar(out / f"{name}.tar.gz", {f"{name}/{file}": content for file, content in files.items()})
