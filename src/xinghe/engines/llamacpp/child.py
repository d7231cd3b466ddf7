"""The child process around one model file: `python -m xinghe.engines.llamacpp.child`.

It reads one JSON line (`ChildSpec`) from standard input, answers one (`ChildReady`) on standard
output once the model is loaded, and ends when its standard input does, or on SIGTERM. Loading
holds the GIL and a native abort ends the process: that is why it stands alone.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import msgspec

from xinghe.orphan import die_with_parent
from xinghe.vocabulary import Tokenizer, special_texts

BATCH = 128
"""Tokens read at once. At the library's default, one long prompt froze every other stream."""
BATCH_WITH_EYES = 256
"""A Gemma 3 reads the 256 tokens of a picture in one batch or not at all."""
CPU_MAX = Path("/sys/fs/cgroup/cpu.max")
SAMPLE_SECONDS = 0.2
BUSY = 0.5
"""A core that was busy for this share of the sample is not counted as free."""


class ChildSpec(msgspec.Struct, frozen=True):
    """What to serve. `threads` 0 takes the free physical cores; `key` guards the port.

    `mmproj` is the model's vision projector, or empty; a picture takes `picture_tokens` at most,
    where the projector leaves a choice. `parent` is the process without which the child must not
    live.
    """

    weights: str
    mmproj: str
    picture_tokens: int
    context: int
    slots: int
    threads: int
    repack: bool
    key: str
    parent: int


class ChildReady(msgspec.Struct, frozen=True):
    """Where it listens: always loopback. `special`: the texts of the model's special tokens."""

    address: str
    threads: int
    special: list[str]


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's to handle
    spec = msgspec.json.decode(sys.stdin.buffer.readline(), type=ChildSpec)
    die_with_parent(spec.parent)
    # The import takes a while, and the supervisor's pipe should be read before it.
    import xllamacpp as llama  # noqa: PLC0415

    threads = spec.threads or free_cores()
    params = llama.CommonParams()
    params.model.path = spec.weights
    params.n_ctx = spec.context
    params.n_parallel = spec.slots
    params.kv_unified = True  # otherwise the context is cut into equal parts, one a slot
    params.n_batch = params.n_ubatch = BATCH_WITH_EYES if spec.mmproj else BATCH
    if spec.mmproj:
        params.mmproj.path = spec.mmproj
        params.mmproj_use_gpu = False
        params.image_max_tokens = spec.picture_tokens
    for cpu in (params.cpuparams, params.cpuparams_batch):
        cpu.n_threads = threads
        cpu.poll = 0  # spinning threads take the gateway's core
    params.fit_params = False  # it loads the model twice to measure it
    # Reserves the vision tower's memory: without it, small first pictures turn all into NaN.
    params.warmup = bool(spec.mmproj)
    params.no_extra_bufts = not spec.repack
    # A prompt is never found again by its text alone: the gateway says which slot continues what.
    params.cache_ram_mib = 0
    params.cache_idle_slots = False
    params.slot_prompt_similarity = 0.0
    params.ctx_shift = False  # would drop the beginning of a conversation silently
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [spec.key]
    params.endpoint_slots = False
    params.ui = False
    params.verbosity = 2 if spec.mmproj else 1  # at 1 it hides why a projector does not fit
    try:
        server = llama.Server(params)
    except RuntimeError as error:  # the library has said more before it
        files = f"{spec.weights} with mmproj {spec.mmproj}" if spec.mmproj else spec.weights
        sys.exit(f"{files} cannot be served: {error}")
    address: str = server.listening_address
    special = special_texts(spec.weights, Tokenizer(address, spec.key))
    ready = ChildReady(address=address, threads=threads, special=special)
    sys.stdout.buffer.write(msgspec.json.encode(ready) + b"\n")
    sys.stdout.buffer.flush()
    sys.stdin.buffer.read()
    os._exit(0)


def free_cores() -> int:
    """Physical cores that this process may use and that nobody else is using now, and at least one.

    A thread more than there are free cores is waited for by all the others at every layer, which
    costs far more than it brings.
    """
    allowed = _allowed_cpus()
    before = _busy_ticks(allowed)
    time.sleep(SAMPLE_SECONDS)
    after = _busy_ticks(allowed)
    cores: dict[str, float] = {}
    ticks = os.sysconf("SC_CLK_TCK") * SAMPLE_SECONDS
    for cpu in allowed:
        share = (after.get(cpu, 0) - before.get(cpu, 0)) / ticks
        core = _core_of(cpu)
        cores[core] = max(cores.get(core, 0.0), share)
    free = sum(share < BUSY for share in cores.values())
    return max(1, min(free, quota(len(cores))))


def _allowed_cpus() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _core_of(cpu: int) -> str:
    """The physical core of a logical CPU: hyper-threads share one."""
    try:
        return Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").read_text()
    except OSError:
        return str(cpu)


def _busy_ticks(cpus: list[int]) -> dict[int, int]:
    """Ticks that each CPU has spent on work since boot; empty where the system does not say."""
    try:
        lines = Path("/proc/stat").read_text().splitlines()
    except OSError:
        return {}
    busy: dict[int, int] = {}
    for line in lines:
        name, *fields = line.split()
        number = name.removeprefix("cpu")
        if name.startswith("cpu") and number.isdigit() and int(number) in cpus:
            user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields[:8])
            busy[int(number)] = user + nice + system + irq + softirq + steal
    return busy


def quota(cores: int, file: Path = CPU_MAX) -> int:
    """The container's CPU allowance in whole cores (cgroup v2), or all of them."""
    try:
        allowance, period = file.read_text().split()
        return cores if allowance == "max" else max(1, int(allowance) // int(period))
    except (OSError, ValueError):
        return cores


if __name__ == "__main__":
    main()
