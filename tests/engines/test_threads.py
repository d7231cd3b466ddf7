"""With how many threads the embedded engine computes, and how that follows the machine."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import xllamacpp as llama
from hypothesis import given
from hypothesis import strategies as st

from xinghe.doctor.processor import Capacity, capacity
from xinghe.engines.llamacpp.child import ChildReady, ChildSpec, ChildSpeed, ChildThreads
from xinghe.engines.llamacpp.steering import CONTEXT_OF, POINTER, SERVER_SIZE, Steering
from xinghe.engines.llamacpp.threads import (
    CROWDED_LOOKS,
    MOST_ROOMY_LOOKS,
    ROOMY_LOOKS,
    Chooser,
    Clock,
    Look,
)
from xinghe.settings import Settings
from xinghe.weights import find

EIGHT = Capacity(8, 8, None)


def look(*, waited: float = 0.0, ran: float = 8.0, idle: float = 0.0, cores: int = 8) -> Look:
    return Look(Capacity(cores, 8, None), 1.0, ran, waited, idle)


def shared(threads: int, others: int, cores: int = 8) -> Look:
    """A second in which so many threads of ours and of others share the cores equally."""
    share = min(1.0, cores / (threads + others))
    idle = max(0, cores - threads - others)
    return look(ran=threads * share, waited=threads * (1 - share), idle=idle, cores=cores)


def settled(chooser: Chooser, others: int, looks: int = 60) -> list[int]:
    numbers = []
    for _ in range(looks):
        chooser.take(shared(chooser.threads, others))
        numbers.append(chooser.threads)
    return numbers


@given(others=st.integers(0, 12))
def test_others_get_their_cores_and_give_them_back(others: int) -> None:
    chooser = Chooser(EIGHT)
    numbers = settled(chooser, others)[-30:]
    assert set(numbers) == {numbers[0]}
    # Of few threads one too many loses less than one too few.
    assert 0 <= numbers[0] - max(1, 8 - others) <= (1 if others > 5 else 0)
    assert settled(chooser, 0, 2 * MOST_ROOMY_LOOKS)[-1] == 8


def test_a_short_disturbance_changes_nothing() -> None:
    chooser = Chooser(EIGHT)
    for _ in range(20):
        for _ in range(CROWDED_LOOKS - 1):
            assert not chooser.take(shared(8, 8))
        assert not chooser.take(shared(8, 0))
    chooser.take(shared(8, 4))
    chooser.take(shared(8, 4))
    fewer = chooser.threads
    for _ in range(20):
        for _ in range(ROOMY_LOOKS - 1):
            assert not chooser.take(shared(fewer, 0))
        assert not chooser.take(shared(fewer, 8 - fewer))


def test_waiting_that_is_small_or_without_work_is_not_too_much() -> None:
    chooser = Chooser(EIGHT)
    for _ in range(20):
        assert not chooser.take(look(ran=7.7, waited=0.3))
        assert not chooser.take(look(ran=0.01, waited=0.1))


def test_who_is_wrong_about_room_tries_it_ever_more_rarely() -> None:
    """The CPUs look idle, and yet threads have to wait: a neighbour that is nice, or a quota."""
    chooser = Chooser(EIGHT)
    changes = 0
    for _ in range(3600):
        crowded = chooser.threads > 4
        changes += chooser.take(look(ran=4.0, waited=4.0 if crowded else 0.0, idle=4.0))
    assert 2 < changes < 40


@given(
    st.lists(st.tuples(st.integers(1, 16), st.floats(0, 16), st.floats(0, 16), st.floats(0, 16)))
)
def test_never_none_and_never_more_than_there_are(
    looks: list[tuple[int, float, float, float]],
) -> None:
    chooser = Chooser(EIGHT)
    for cores, ran, waited, idle in looks:
        before = chooser.threads
        changed = chooser.take(look(cores=cores, ran=ran, waited=waited, idle=idle))
        assert 1 <= chooser.threads <= min(8, cores)
        assert changed == (chooser.threads != before)


def test_what_linux_counts_is_read(tmp_path: Path) -> None:
    cpu = min(os.sched_getaffinity(0))
    ticks = os.sysconf("SC_CLK_TCK")

    def counted(ran: float, waited: float, idle: int, iowait: int, nice: int) -> None:
        for thread, share in ((7, 0.75), (8, 0.25)):
            file = tmp_path / f"proc/self/task/{thread}/schedstat"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{share * ran * 1e9:.0f} {share * waited * 1e9:.0f} 5\n")
        mine = f"cpu{cpu} 99 {nice * ticks} 99 {idle * ticks} {iowait * ticks} 0 0 0 0 0\n"
        (tmp_path / "proc/stat").write_text(
            f"cpu  1 2 3 4 5\n{mine}cpu999 9 9 9 999999 9\nintr 5\n"
        )

    counted(1, 0, 100, 10, 0)
    clock = Clock(str(tmp_path))
    counted(3, 4, 101, 12, 4)
    seen = clock.look()
    assert seen
    assert (seen.ran, seen.waited) == (2, 4)
    assert seen.idle * seen.seconds == pytest.approx(3 + 4 * (os.nice(0) <= 0))
    (tmp_path / "proc/stat").unlink()
    assert clock.look() is None


class Child:
    """A real child, spoken to as the supervisor does."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.pid = process.pid
        self._process = process

    def tell(self, line: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + b"\n")
        self._process.stdin.flush()

    def hear(self, kind: Any) -> Any:
        assert self._process.stdout is not None
        return msgspec.json.decode(self._process.stdout.readline(), type=kind)

    def start(self, weights: Path, threads: int) -> ChildReady:
        spec = ChildSpec(str(weights), "", 0, 1024, 1, threads, False, "key", os.getpid())
        self.tell(msgspec.json.encode(spec))
        ready: ChildReady = self.hear(ChildReady)
        return ready


@contextmanager
def child() -> Iterator[Child]:
    command = [sys.executable, "-m", "xinghe.engines.llamacpp.child"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield Child(process)
        finally:
            process.kill()


def ask(address: str, tokens: int, prompt: str = "1 2 3") -> int:
    """How many tokens of the prompt were still known to the first slot."""
    body = {"prompt": prompt, "n_predict": tokens, "ignore_eos": True, "id_slot": 0}
    request = urllib.request.Request(
        f"{address}/completion",
        json.dumps(body).encode(),
        {"Authorization": "Bearer key", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        return int(json.load(answer)["timings"]["cache_n"])


@pytest.fixture
def weights(small_weights: str, tmp_path: Path) -> Path:
    found = find(Settings(data=str(tmp_path)), small_weights)
    assert found is not None
    return found


several = pytest.mark.skipif(capacity().threads < 2, reason="one core leaves nothing to choose")


@several
@pytest.mark.embedded
def test_an_engine_follows_its_affinity_while_it_runs(weights: Path) -> None:
    everywhere = os.sched_getaffinity(0)
    with child() as engine:
        ready = engine.start(weights, 0)
        assert (ready.threads, ready.why) == (capacity().threads, str(capacity()))
        assert ready.adapts
        os.sched_setaffinity(engine.pid, {min(everywhere)})
        heard = engine.hear(ChildThreads)
        while "affinity" not in heard.why:  # others on this machine may have been heard of first
            heard = engine.hear(ChildThreads)
        assert heard.threads == 1
        os.sched_setaffinity(engine.pid, everywhere)
        assert engine.hear(ChildThreads) == ChildThreads(ready.threads, ready.why)


def steered(weights: str) -> None:
    """Print how many threads compute when a server is told so, in a process of its own."""
    params = llama.CommonParams()
    params.model.path = weights
    params.n_ctx = 512
    params.fit_params = params.warmup = False
    params.port = 0
    params.verbosity = 0
    for cpu in (params.cpuparams, params.cpuparams_batch):
        cpu.n_threads = 2
    server = llama.Server(params)
    stranger = SimpleNamespace(listening_address=server.listening_address)
    assert Steering.of(stranger, llama.xllamacpp.__file__, 2) is None
    assert Steering.of(server, llama.xllamacpp.__file__, 1) is None  # not what it was made with
    steering = Steering.of(server, llama.xllamacpp.__file__, 2)
    assert steering
    for threads in (1, 2, 3):
        steering.set(threads)
        before = ticks()
        server.handle_completions({"prompt": "1 2 3", "n_predict": 4, "ignore_eos": True})
        spent = Counter(ticks()) - Counter(before)
        print(sum(each > max(spent.values()) / 4 for each in spent.values()))
    os._exit(0)


@pytest.mark.embedded
def test_to_measure_takes_no_slot_from_others(weights: Path) -> None:
    prompt = "the quick brown fox jumps over the lazy dog " * 4
    with child() as engine:
        ready = engine.start(weights, 1)
        assert ask(ready.address, 1, prompt) == 0
        engine.tell(b"measure")
        speed = engine.hear(ChildSpeed)
        assert speed.reads > 0
        assert speed.writes > 0
        assert ask(ready.address, 1, prompt) > 30


class Lookalike(ctypes.Array[ctypes.c_void_p]):
    """Looks like a server to who reads memory: the string of its address, and an owner behind."""

    _type_ = ctypes.c_void_p
    _length_ = SERVER_SIZE // POINTER.size
    listening_address = "http://127.0.0.1:1"


class Library(SimpleNamespace):
    """Gives a context that is none; to ask that for its threads would end the process."""

    llama_n_threads = llama_n_threads_batch = None

    def __getitem__(self, name: str) -> object:
        assert name == CONTEXT_OF
        return self.of


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no steering")
@pytest.mark.parametrize("context", [None, 8, 2**63, 2**64 - 8])
def test_a_context_that_is_none_is_not_steered(
    context: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = ctypes.create_string_buffer(Lookalike.listening_address.encode())
    inner = ctypes.create_string_buffer(SERVER_SIZE)
    owner = (ctypes.c_void_p * 1)(ctypes.addressof(inner))
    server = Lookalike(ctypes.addressof(address), ctypes.addressof(owner))
    asked: list[int] = []

    def answer(found: int) -> int | None:
        asked.append(found)
        return context

    context_of = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(answer)
    library = Library(llama_set_n_threads=SimpleNamespace(), of=context_of)
    monkeypatch.setattr(ctypes, "CDLL", lambda file: library)
    assert Steering.of(server, "file", 2) is None
    assert asked == [ctypes.addressof(owner)]


def ticks() -> dict[str, int]:
    """What each thread of this process has computed."""
    tasks = Path("/proc/self/task").glob("*")
    return {each.name: int((each / "stat").read_text().split()[13]) for each in tasks}


@several
@pytest.mark.embedded
def test_a_running_server_is_told_how_many_threads_compute(weights: Path) -> None:
    program = f"from tests.engines.test_threads import steered; steered({str(weights)!r})"
    told = subprocess.run([sys.executable, "-uc", program], capture_output=True, check=True)
    assert told.stdout.split() == [b"1", b"2", b"2"]


@several
@pytest.mark.embedded
def test_an_engine_gives_way_to_other_work(weights: Path) -> None:
    burn = [sys.executable, "-c", "while True: pass"]
    with child() as engine:
        address = engine.start(weights, 0).address
        others = [subprocess.Popen(burn) for _ in range(capacity().threads)]
        try:
            asking = subprocess.Popen(
                [sys.executable, "-c", ASKING.format(address=address)], stderr=subprocess.DEVNULL
            )
            others.append(asking)
            heard = engine.hear(ChildThreads)
            assert heard.threads < capacity().threads
            assert heard.why.startswith("others use the processor")
        finally:
            for each in others:
                each.kill()
                each.wait()


ASKING = """
from tests.engines.test_threads import ask
while True:
    ask("{address}", 64)
"""


@several
@pytest.mark.embedded
@pytest.mark.parametrize("threads", [0, 3])
def test_one_cpu_is_one_thread_but_what_the_operator_set_stays(weights: Path, threads: int) -> None:
    with child() as engine:
        os.sched_setaffinity(engine.pid, {min(os.sched_getaffinity(0))})
        ready = engine.start(weights, threads)
    if threads:
        assert (ready.threads, ready.why) == (threads, "set by embedded.threads")
        assert not ready.adapts
    else:
        machine = capacity().machine
        assert (ready.threads, ready.why) == (1, f"1 of {machine} cores by affinity")
