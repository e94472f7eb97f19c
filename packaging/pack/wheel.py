"""Python: a wheel for each target, made by the backend that pip calls too."""

import os

from common import backend, directory, shared_library, version


def pack(out, targets):
    for target in targets:
        shared_library(target)
        os.environ["LIBRARY_DIR"] = str(directory(target))
        os.environ["WHEEL_VERSION"] = version()
        # The variable is for one target: `make lib` may build for a later glibc than the packages.
        os.environ["WHEEL_TAG"] = os.environ.get("PACK_WHEEL_TAG") or target.wheel
        yield out / backend.build_wheel(str(out))
