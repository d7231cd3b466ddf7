"""With how many threads the embedded engine computes, why, and what that brings on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from typing import Any

from . import network
from .finding import Finding, ok, warn
from .installation import model_file
from .options import Options
from .processor import capacity

CHILD = "xinghe.engines.llamacpp.child"
LONGEST = 90.0
"""Seconds to load a model and to measure it."""


def threads(options: Options) -> Finding:
    """A running service tells what it measured; where none runs, the engine is started for it."""
    if not options.embedded:
        return ok("threads", "the embedded engine is off")
    here = capacity()
    if options.threads > here.threads:
        found = f"embedded.threads is {options.threads}, and there is room for {here.threads}"
        return warn("threads", f"{found} ({here})", "embedded.threads = 0 lets the engine choose")
    told = network.engines(options)
    if told:
        return ok("threads", "; ".join(f"{name}: {text(told[name])}" for name in sorted(told)))
    return ok("threads", text(_started(options)))


def text(state: dict[str, Any]) -> str:
    """What an engine says of itself: the fields of the supervisor's `EngineThreads`."""
    chosen = f"{_number(state['threads'])} ({state['why']})"
    if not state.get("writes"):
        return f"{chosen}; not measured{state.get('reason', '')}"
    speed = f"reads {state['reads']:.1f} and writes {state['writes']:.1f} tokens a second"
    speed += f" (1,000 of a prompt: {1000 / state['reads']:.0f} s)"
    if state["measured"] != state["threads"]:
        return f"{chosen}; with {_number(state['measured'])} it {speed}"
    return f"{chosen}; {speed}"


def _number(threads: int) -> str:
    return f"{threads} {'thread' if threads == 1 else 'threads'}"


def _started(options: Options) -> dict[str, Any]:
    """What an engine says that was started only to be measured."""
    here, file = capacity(), model_file(options)
    state: dict[str, Any] = {"threads": options.threads or here.threads, "why": str(here)}
    if options.threads:
        state["why"] = "set by embedded.threads"
    if not os.path.exists(file):
        return dict(state, reason=": the model file is not here yet")
    spec = {
        "weights": file,
        "mmproj": "",
        "picture_tokens": 0,
        "context": 1024,
        "slots": 1,
        "threads": options.threads,
        "repack": False,
        "key": "doctor",
        "parent": os.getpid(),
    }
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as engine:
        assert engine.stdin is not None
        assert engine.stdout is not None
        end = threading.Timer(LONGEST, engine.kill)
        end.start()
        try:
            for line in (json.dumps(spec), "measure"):
                engine.stdin.write(line.encode() + b"\n")
                engine.stdin.flush()
                state.update(_said(engine.stdout.readline()))
            while not state.get("writes"):  # it may tell of other threads first
                state.update(_said(engine.stdout.readline()))
        except (OSError, ValueError):  # it ended
            return dict(state, reason=": the engine did not start or took too long")
        finally:
            end.cancel()
            engine.kill()
    return state


def _said(line: bytes) -> dict[str, Any]:
    """What one line says. Raises `ValueError` at the end."""
    return dict(json.loads(line.decode("utf-8")))
