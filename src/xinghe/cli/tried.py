"""How fast a deployment was when it was tried: what is known of its speed before it has served."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

FILE = "trials.json"


class Tried(msgspec.Struct, frozen=True):
    """Of a deployment as its `spec` was, a hash. Milliseconds, and tokens a second."""

    spec: str
    first_token_ms: float | None = None
    tokens_per_second: float | None = None


def keep(data: Path, deployment: str, spec: msgspec.Struct, tried: Tried) -> None:
    """Keep it, in the place of what was known of that deployment before."""
    known = _read(data)
    known[deployment] = msgspec.structs.replace(tried, spec=_hash(spec))
    draft = data / f"{FILE}.new"
    with contextlib.suppress(OSError):  # it is only a figure to be shown
        draft.write_bytes(msgspec.json.encode(known))
        draft.replace(data / FILE)


def found(data: Path, deployments: Mapping[str, msgspec.Struct]) -> dict[str, Tried]:
    """By deployment, what is known of those that are as they were when they were tried."""
    known = _read(data)
    return {
        name: known[name]
        for name, spec in deployments.items()
        if name in known and known[name].spec == _hash(spec)
    }


def _hash(spec: msgspec.Struct) -> str:
    """Of the keys in it, nothing can be read from this."""
    said = msgspec.json.encode(spec, order="deterministic")
    return hashlib.sha256(said).hexdigest()


def _read(data: Path) -> dict[str, Tried]:
    try:
        return msgspec.json.decode((data / FILE).read_bytes(), type=dict[str, Tried])
    except (OSError, msgspec.DecodeError):
        return {}
