"""`make attack`: the whole catalogue against a service of its own while a second client measures.

Bounded in time and in count, on loopback alone. `XINGHE_ATTACK_ROUNDS` names some rounds only.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Thread

import pytest

from tests.attack import bodies, heads, pictures, readers, schemas, texts, upstreams
from tests.attack.hosts import ABLE, EMBEDDED, LOCAL_VECTORS
from tests.attack.kills import killed
from tests.attack.report import HEAD, Round, oddities, row, table
from tests.attack.shot import KEY, Aim, Seen, Shot, asked, fire
from tests.attack.sizes import sizes
from tests.attack.stage import Stage, staged
from tests.kit.raw import Connection
from tests.kit.script import SECRET

ROUNDS: dict[str, tuple[Sequence[Shot], int, float]] = {
    "heads": (heads.SHOTS, 6, 40),
    "schemas": (schemas.SHOTS, 12, 90),
    "bodies": (bodies.SHOTS, 3, 90),
    "upstreams": (upstreams.SHOTS, 40, 90),
    "readers": (readers.SHOTS, 100, 60),
    "pictures": (pictures.SHOTS, 20, 60),
    "texts": (texts.SHOTS, 12, 60),
}
"""Entries, clients at once, and the seconds after which none begins any more."""

WANTED = os.environ.get("XINGHE_ATTACK_ROUNDS", "").split() or ["idle", *ROUNDS, "kills"]
TIMED = "PYTEST_XDIST_WORKER" not in os.environ
"""Beside other tests the machine is theirs too, and times tell nothing."""


def warm(aim: Aim) -> None:
    """Ordinary work of every kind, eight at a time, so that all parts and their pools are there."""
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    tools = [{"type": "function", "function": {"name": "f", "parameters": schema}}]
    hello = [{"role": "user", "content": "hurt:chat:json"}]
    chat = "/chat/completions"
    short = {"messages": hello, "max_completion_tokens": 4}
    gentle = [
        asked(chat, {"model": ABLE, "messages": hello, "response_format": form}),
        asked(chat, {"model": ABLE, "messages": hello, "tools": tools}),
        asked(chat, {**short, "model": EMBEDDED, "response_format": form}),
        asked("/embeddings", {"model": LOCAL_VECTORS, "input": ["月亮"]}),
        asked("/images/generations", {"model": "Stable-Diffusion-XL", "prompt": "cat"}),
        pictures.SMALL,
        *texts.ORDINARY,
    ]
    clients = [
        Thread(target=fire, args=[Shot("warm", pieces, ("200",), within=120), aim, aim.token(n)])
        for n, pieces in enumerate(gentle * 8)
    ]
    for one in clients:
        one.start()
    for one in clients:
        one.join()


def attacked(stage: Stage, wanted: Sequence[str]) -> list[Round]:
    rounds = []

    def told(one: Round) -> None:
        rounds.append(one)
        print("\n".join([row(one, stage.before), *oddities(one, stage.before)]), flush=True)

    if "idle" in wanted:
        told(stage.observed("idle", [], [], lambda _: time.sleep(5)))
    for name, (shots, abreast, seconds) in ROUNDS.items():
        if name in wanted:
            told(stage.round(name, shots, abreast, seconds))
    if "kills" in wanted:
        seen: list[Seen] = []

        def kill(_: Callable[[], None]) -> None:
            killed(stage.server, stage.aim, seen.append)

        told(stage.observed("kills", seen, [], kill, kills=True))
    return rounds


def leftovers(stage: Stage) -> list[str]:
    """What is wrong at the end of all."""
    found = []
    end = time.monotonic() + 30  # kept connections to upstreams
    while (now := sizes(stage.server)).descriptors > stage.before.descriptors:
        if time.monotonic() > end:
            extra = now.descriptors - stage.before.descriptors
            found.append(f"{extra} descriptors are still open")
            break
        time.sleep(1)
    log = stage.server.log.read_text("utf-8", "replace")
    for what, text in {"a key": KEY, "an upstream's text": SECRET, "a trace": "Traceback"}.items():
        if count := log.count(text):
            found.append(f"{what} stands in the log {count} times")
    with Connection(stage.upstream) as connection:
        connection.request("GET", "/tally")
        if stolen := json.loads(connection.reply().body)["stolen"]:
            found.append(f"{stolen} prompts followed a redirect")
    try:
        if code := stage.server.stop():
            found.append(f"it ended with {code}")
    except AssertionError as error:  # still running, or something is left of it
        found.append(str(error))
    return found


@pytest.mark.slow
@pytest.mark.embedded
@pytest.mark.timeout(1500)
def test_the_catalogue(tmp_path: Path, small_weights: str) -> None:
    with staged(tmp_path / "attacked", small_weights, warm) as stage:
        print(f"\n{HEAD}", flush=True)
        rounds = attacked(stage, WANTED)
        missed = [
            f"{one.name}: {bar}" for one in rounds for bar in one.missed(stage.before, timed=TIMED)
        ]
        missed += leftovers(stage)
        print(f"\nbefore: {stage.before.megabytes:.0f} MB\n{table(rounds, stage.before)}")
        print("\n".join(["missed:", *missed] if missed else ["every bar is met"]), flush=True)
        assert not missed, "\n".join(missed)
