"""PyInstaller calls this by the entry point `pyinstaller40`, to find the hook for this package."""

from __future__ import annotations

import os


def hook_directories() -> list[str]:
    """The directory of `hook-dl_auth.py`."""
    return [os.path.dirname(__file__)]
