"""What PyInstaller asks by the entry point `pyinstaller40`: where the hook for this package is."""

from __future__ import annotations

import os


def hook_directories() -> list[str]:
    """The directory of `hook-dl_auth.py`."""
    return [os.path.dirname(__file__)]
