"""What was installed: the engine's library, the model file, the database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from urllib.parse import quote

from . import postgresql
from .finding import Finding, fail, ok, warn
from .machine import weight
from .options import Options

AGAIN = "make clean run   (installs anew)"
GGUF = b"GGUF"
QUICKLY_READ = 250 * 1000**2
"""Bytes of a database that are looked through beside a service at work."""
LOADING = 60.0
"""Seconds that the engine's library has to load, from a slow disk too."""


def engine(options: Options) -> Finding:
    if not options.embedded:
        return ok("engine", "the embedded engine is off")
    # A child, because a native library that does not suit the processor kills its process.
    command = [sys.executable, "-c", "import xllamacpp"]
    try:
        result = subprocess.run(  # noqa: S603
            command, capture_output=True, errors="replace", check=False, timeout=LOADING
        )
    except subprocess.TimeoutExpired:
        return fail("engine", f"xllamacpp is not loaded after {LOADING:g} s", AGAIN)
    if result.returncode == 0:
        return ok("engine", "xllamacpp loads")
    if result.returncode < 0:
        text = f"xllamacpp dies of {signal.Signals(-result.returncode).name} when it is loaded"
    else:
        said = result.stderr.strip().splitlines() or ["it gives no reason"]
        text = f"xllamacpp cannot be loaded: {said[-1]}"
    if "shared object" in text:
        return fail("engine", text, "install the system library that it names")
    return fail("engine", text, AGAIN)


def weights(options: Options) -> Finding:
    entry = weight(options)
    if entry is None:
        return _own_file(options.model)
    file = model_file(options)
    mend = f"xinghe models pull {options.model}"
    if not os.path.exists(file):
        return warn("weights", f"{options.model} is not here yet; the first start fetches it", mend)
    size, right = os.path.getsize(file), entry.get("size")
    if right not in {None, size}:
        return fail("weights", f"{file} has {size} bytes, and should have {right}", mend)
    return ok("weights", f"{file} ({size / 1000**3:.1f} GB)")


def model_file(options: Options) -> str:
    """Where the embedded engine's model file is, or will be."""
    entry = weight(options)
    return (
        os.path.join(options.cache, entry["file"]) if entry else os.path.expanduser(options.model)
    )


def database(options: Options) -> Finding:
    found = postgresql.database(options)
    if found is not None:
        return found
    file = os.path.join(options.data, "xinghe.db")
    size = os.path.getsize(file) if options.running and os.path.exists(file) else 0
    if size > QUICKLY_READ:
        text = f"{file} ({size / 1000**3:.1f} GB); to look through it takes long: xinghe doctor"
        return ok("database", text)
    return _file(file)


def _file(file: str) -> Finding:
    if not os.path.exists(file):
        return ok("database", f"none yet in {os.path.dirname(file)}")
    try:
        import sqlite3  # noqa: PLC0415  (some builds of Python lack it)
    except ImportError:
        return warn("database", "this Python has no sqlite3; not checked", "use a full Python")
    # A process that has the file open keeps an index of the log beside it. Where there is none,
    # only immutable leaves none behind, and that overlooks what the log holds.
    used = os.path.exists(file + "-shm")
    if not used and os.path.exists(file + "-wal") and os.path.getsize(file + "-wal"):
        text = f"{file} has a log that was not written into it; not checked"
        return warn("database", text, "start the service, which does it, and ask again")
    mode = "mode=ro" if used else "immutable=1"
    try:
        connection = sqlite3.connect(f"file:{quote(file)}?{mode}", uri=True)
        try:
            answer = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
        finally:
            connection.close()
    except sqlite3.Error as error:
        answer = str(error)
    if answer == "ok":
        return ok("database", f"{file} is sound")
    return fail(
        "database",
        f"{file} is damaged or cannot be read: {answer}",
        "stop the service and put the last backup in its place",
    )


def _own_file(path: str) -> Finding:
    try:
        with open(os.path.expanduser(path), "rb") as file:
            right = file.read(len(GGUF)) == GGUF
    except OSError as error:
        mend = "--model default, or the path of a GGUF file"
        return fail("weights", f"{path}: {error.strerror}", mend)
    if right:
        return ok("weights", path)
    return fail("weights", f"{path} is not a GGUF file", "--model default, or another file")
