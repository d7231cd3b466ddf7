"""Peers from PyPI and npm: each in an environment of its own, which stays for the next run."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from bench.peers.load import Missing

PLACE = Path(__file__).parents[2] / ".venv-peers"
LOCKS = Path(__file__).with_name("locks")
MINUTES = 10


def from_pypi(name: str) -> Path:
    """The folder of programs of an environment that holds what `NAME.lock` says."""
    lock, place = LOCKS / f"{name}.lock", PLACE / name
    uv = str(Path(sys.executable).with_name("uv"))
    made = [uv, "venv", "-q", "--clear", "--python", sys.executable, str(place)]
    filled = [uv, "pip", "sync", "-q", "--require-hashes", "--python", str(place), str(lock)]
    _once(place, lock, made, filled)
    return place / "bin"


def from_npm(name: str) -> Path:
    """The folder of packages that hold what `NAME/package-lock.json` says."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise Missing("apt-get install nodejs npm")
    asked, place = LOCKS / name, PLACE / name
    copied = ["cp", "-r", f"{asked}/.", str(place)]
    filled = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(place)]
    _once(place, asked / "package-lock.json", copied, filled)
    return place / "node_modules"


def _once(place: Path, lock: Path, *commands: list[str]) -> None:
    """Run the commands unless they have made `place` from this very lock. Raises `Missing`."""
    wanted, done = hashlib.sha256(lock.read_bytes()).hexdigest(), place / ".done"
    if done.exists() and done.read_text() == wanted:
        return
    print(f"installing {place.name} into {place.parent.name}/{place.name} ...", file=sys.stderr)
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for command in commands:
        try:
            subprocess.run(
                command, capture_output=True, check=True, text=True, timeout=60 * MINUTES
            )
        except subprocess.TimeoutExpired:
            raise Missing(f"not installed within {MINUTES} minutes") from None
        except subprocess.CalledProcessError as error:
            lines = error.stderr.strip().splitlines() or ["no reason was given"]
            raise Missing(f"not installed: {lines[-1].strip()}") from None
    done.write_text(wanted)
