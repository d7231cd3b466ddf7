"""The machine and its Python."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import platform
import sys

from .finding import Finding, fail, install, ok, warn
from .options import Options

NEEDED = (3, 11)
GIGABYTE = 1000**3
COMFORTABLE = 4 * GIGABYTE
"""Bytes of memory below which the default model is slow or fails."""
SMALL = 2 * GIGABYTE
"""The same for the model `small`."""


def python(_: Options) -> Finding:
    found = platform.python_version()
    if sys.version_info >= NEEDED:
        return ok("python", found)
    return fail(
        "python",
        f"{sys.executable} is Python {found}, and 3.11 or newer is needed",
        "make run PYTHON=python3.11   (or any newer one that is installed)",
    )


def venv(options: Options) -> Finding:
    pip = os.path.join(options.environment, "bin", "pip")
    if os.path.exists(pip) and os.path.exists(os.path.join(options.environment, "bin", "python")):
        return ok("venv", f"{options.environment} is there")
    if os.path.exists(pip):
        text = f"the Python that {options.environment} was made with is gone"
        return fail("venv", text, "make clean run")
    missing = [name for name in ("venv", "ensurepip") if not importlib.util.find_spec(name)]
    if missing:
        return fail(
            "venv",
            f"this Python cannot make virtual environments: no module {' or '.join(missing)}",
            install("python3-venv", "python3"),
        )
    return ok("venv", "virtual environments can be made")


def libgomp(_: Options) -> Finding:
    if sys.platform != "linux":
        return ok("libgomp", "not needed on this system")
    try:
        ctypes.CDLL("libgomp.so.1")
    except OSError:
        text = "libgomp.so.1 is missing, which the embedded engine computes with"
        return fail("libgomp", text, install("libgomp1", "libgomp"))
    return ok("libgomp", "libgomp.so.1")


def cpu(options: Options, cpuinfo: str = "/proc/cpuinfo") -> Finding:
    machine = platform.machine()
    if machine not in {"x86_64", "AMD64"} or not os.path.exists(cpuinfo):
        return ok("cpu", machine)
    with open(cpuinfo, encoding="utf-8", errors="replace") as file:
        flags = next((line.split() for line in file if line.startswith("flags")), [])
    if "avx2" in flags:
        return ok("cpu", f"{machine} with AVX2")
    text = "this processor has no AVX2, which the embedded engine needs"
    if not options.embedded:
        return ok("cpu", f"{machine} without AVX2; the embedded engine is off")
    return fail("cpu", text, "name a model server under [defaults] in models.toml")


def memory(options: Options, cgroup: str = "/sys/fs/cgroup/memory.max") -> Finding:
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        with open(cgroup, encoding="ascii") as file:
            size = min(size, int(file.read()))
    except (OSError, ValueError):
        pass  # no container, or one without a limit ("max")
    text = f"{size / GIGABYTE:.1f} GB"
    if options.model == "small" and size < SMALL:
        return warn("memory", f"{text}, and 2 GB are advised", "give the machine more memory")
    if options.model != "small" and size < COMFORTABLE:
        return warn(
            "memory",
            f"{text}, and 4 GB are advised for the model {options.model}",
            'make run ARGS="--model small"',
        )
    return ok("memory", text)
