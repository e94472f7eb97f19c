"""Prints the sizes of the structs and the constants of the declarations, then the token of a login: login.py NAMES..."""

import os
import sys

from cffi import FFI

ffi = FFI()
with open(os.environ["DECLARATIONS"]) as declarations:
    ffi.cdef(declarations.read())
C = ffi.dlopen(os.environ["LIBRARY"])

for name in ["dl_auth_error_t", "dl_auth_info_t"]:
    print(name, ffi.sizeof(name))
for name in sys.argv[1:]:
    print(name, getattr(C, name))

failure = ffi.new("dl_auth_error_t *", {"size": ffi.sizeof("dl_auth_error_t")})


def must(code):
    assert code == C.DL_AUTH_OK, ffi.string(failure.message)


def gate(name):
    return os.environ["GATE_" + name].encode()


config = C.dl_auth_config_new()
must(C.dl_auth_config_set(config, b"url", gate("URL"), failure))
variables = [ffi.new("char []", b"DL_AUTH_" + name.encode() + b"=" + gate(name)) for name in ["USERNAME", "PASSWORD", "CA_FILE"]]
must(C.dl_auth_config_set_environ(config, ffi.new("char *[]", variables + [ffi.NULL]), failure))
auth = ffi.new("dl_auth_t **")
must(C.dl_auth_new(config, auth, failure))
C.dl_auth_config_free(config)

buffer = ffi.new("char []", C.DL_AUTH_TOKEN_MAX)
must(C.dl_auth_token(auth[0], buffer, len(buffer), ffi.NULL, failure))
print("token", ffi.string(buffer).decode())
info = ffi.new("dl_auth_info_t *", {"size": ffi.sizeof("dl_auth_info_t")})
must(C.dl_auth_info(auth[0], info, failure))
assert info.state == C.DL_AUTH_STATE_FRESH and info.logins == 1
C.dl_auth_free(auth[0])
assert C.dl_auth_token(auth[0], buffer, len(buffer), ffi.NULL, failure) == C.DL_AUTH_E_CLOSED
assert failure.status == C.DL_AUTH_E_CLOSED
