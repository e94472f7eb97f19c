"""The header Cookie of a request that is sent once more."""

from __future__ import annotations

from typing import Optional


def merged(sent: Optional[str], new: Optional[str]) -> Optional[str]:
    """The cookies that a request was sent with, and those that its response has set, which win."""
    if not sent or not new:
        return sent or new
    names = {_name(pair) for pair in new.split(";")}
    return "; ".join([pair.strip() for pair in sent.split(";") if _name(pair) not in names] + [new])


def _name(pair: str) -> str:
    return pair.partition("=")[0].strip()
