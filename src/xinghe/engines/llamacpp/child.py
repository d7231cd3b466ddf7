"""The child process around one model file: `python -m xinghe.engines.llamacpp.child`.

It reads one JSON line (`ChildSpec`) from standard input, answers one (`ChildReady`) on standard
output once the model is loaded, then tells there what changes (`ChildThreads`, `ChildSpeed`), and
ends when its standard input does, or on SIGTERM. Loading
holds the GIL and a native abort ends the process: that is why it stands alone.
"""

import os
import select
import signal
import sys
from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import Any, BinaryIO

import msgspec

from xinghe.doctor.processor import capacity
from xinghe.engines.llamacpp.steering import Steering
from xinghe.engines.llamacpp.switch import has_switch
from xinghe.engines.llamacpp.threads import PERIOD, Chooser, Clock
from xinghe.orphan import die_with_parent
from xinghe.vocabulary import Tokenizer, special_texts

BATCH = 128
"""Tokens read at once. At the library's default, one long prompt froze every other stream."""
BATCH_WITH_VISION = 256
"""A Gemma 3 reads the 256 tokens of a picture in one batch or not at all."""
PROBE = " ".join(map(str, range(16)))
"""Read to measure: with most vocabularies about 32 tokens, a second on a slow machine."""
WRITTEN = 8
"""Tokens written to measure."""


class ChildSpec(msgspec.Struct, frozen=True):
    """What to serve. `threads` 0 is for the engine to choose; `key` guards the port.

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
    """Where it listens: always loopback. `special`: the texts of the model's special tokens.

    `why` says what the number of threads rests on; it may change if it `adapts`. `switch`: the
    model's chat template can be told whether to think.
    """

    address: str
    threads: int
    special: list[str]
    why: str
    adapts: bool
    switch: bool = False


class ChildThreads(msgspec.Struct, frozen=True, tag=True):
    """Said whenever it computes with another number of threads."""

    threads: int
    why: str


class ChildSpeed(msgspec.Struct, frozen=True, tag=True):
    """Said when it was asked to measure, by any line: tokens a second of one request alone.

    `measured`: the threads with which.
    """

    reads: float
    writes: float
    measured: int


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's to handle
    spec = msgspec.json.decode(sys.stdin.buffer.readline(), type=ChildSpec)
    die_with_parent(spec.parent)
    told = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what the library prints is no message
    # The import takes a while, and the supervisor's pipe should be read before it.
    import xllamacpp as llama  # noqa: PLC0415

    chooser = Chooser(capacity())
    if spec.threads:
        chooser.threads, chooser.why = spec.threads, "set by embedded.threads"
    params = llama.CommonParams()
    params.model.path = spec.weights
    params.n_ctx = spec.context
    params.n_parallel = spec.slots + 1  # the last to measure in: the others are the gateway's
    params.kv_unified = True  # otherwise the context is cut into equal parts, one a slot
    params.n_batch = params.n_ubatch = BATCH_WITH_VISION if spec.mmproj else BATCH
    if spec.mmproj:
        params.mmproj.path = spec.mmproj
        params.mmproj_use_gpu = False
        params.image_max_tokens = spec.picture_tokens
    for cpu in (params.cpuparams, params.cpuparams_batch):
        cpu.n_threads = chooser.threads
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
    steering = None
    if not spec.threads:
        steering = Steering.of(server, llama.xllamacpp.__file__, chooser.threads)
    say = partial(_say, told)
    adapts, switch = steering is not None, has_switch(address, spec.key)
    say(ChildReady(address, chooser.threads, special, chooser.why, adapts, switch))
    _attend(server, spec.slots, chooser, steering, say)
    os._exit(0)


def _attend(
    server: Any,
    slot: int,
    chooser: Chooser,
    steering: Steering | None,
    say: Callable[[msgspec.Struct], None],
) -> None:
    """Until the standard input ends: measure when asked to, and keep the threads right."""
    clock = Clock()
    while True:
        asked, _, _ = select.select([sys.stdin], [], [], PERIOD)
        if asked:
            if not os.read(sys.stdin.fileno(), 4096):
                return
            # Aside: it may take long, and SIGTERM is heard between two steps of this thread alone.
            Thread(target=lambda: say(_measured(server, slot, chooser)), daemon=True).start()
        elif steering and (look := clock.look()) and chooser.take(look):
            steering.set(chooser.threads)
            say(ChildThreads(chooser.threads, chooser.why))


def _measured(server: Any, slot: int, chooser: Chooser) -> ChildSpeed:
    """What it reads and writes when nobody else asks it."""
    request = {"prompt": PROBE, "n_predict": 1, "ignore_eos": True, "cache_prompt": False}
    request["id_slot"] = slot
    server.handle_completions(request)  # brings the weights into memory
    timings = server.handle_completions({**request, "n_predict": WRITTEN + 1})["timings"]
    server.handle_completions({**request, "prompt": [0]})  # leaves the context to others
    reads, writes = timings["prompt_per_second"], timings["predicted_per_second"]
    return ChildSpeed(reads, writes, chooser.threads)


def _say(told: BinaryIO, message: msgspec.Struct) -> None:
    told.write(msgspec.json.encode(message) + b"\n")
    told.flush()


if __name__ == "__main__":
    main()
