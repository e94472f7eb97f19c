"""PyInstaller runs this where a program imports dl_auth: the library goes into the frozen program."""

from PyInstaller.utils.hooks import collect_dynamic_libs  # type: ignore[import-untyped]

binaries = collect_dynamic_libs("dl_auth")
