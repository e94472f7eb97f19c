"""PyInstaller runs this if a program imports dl_auth. It adds the library to the frozen program."""

from PyInstaller.utils.hooks import collect_dynamic_libs  # type: ignore[import-untyped]

binaries = collect_dynamic_libs("dl_auth")
