"""The child process around one model file: `python -m xinghe.engines.llamacpp.child`.

It reads one JSON line (`ChildSpec`) from standard input, answers one (`ChildReady`) on standard
output once the model is loaded, and ends when its standard input does, or on SIGTERM. Loading
holds the GIL and a native abort ends the process: that is why it stands alone.
"""

from __future__ import annotations

import os
import signal
import sys

import msgspec

from xinghe.engines.llamacpp.threads import free_cores
from xinghe.orphan import die_with_parent
from xinghe.vocabulary import Tokenizer, special_texts

BATCH = 128
"""Tokens read at once. At the library's default, one long prompt froze every other stream."""
BATCH_WITH_EYES = 256
"""A Gemma 3 reads the 256 tokens of a picture in one batch or not at all."""


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


if __name__ == "__main__":
    main()
