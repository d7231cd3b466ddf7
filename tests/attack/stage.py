"""The attacked service with all that belongs to it, and the running of one round."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.attack.hosts import models_toml
from tests.attack.report import GROWN, GROWTH, Round
from tests.attack.shot import Aim, Seen, Shot, fire
from tests.attack.sizes import Sizes, sizes
from tests.attack.watch import Watch, hostile_upstream, watching
from tests.kit.books import Books
from tests.kit.server import Server

ATTACKERS = [f"mallory-{number}" for number in range(4)]
OTHER = "alice"
LATER = 10.0
"""Seconds after a round, by which all must be as it was."""


@dataclass
class Stage:
    """`before` are the sizes that every round is held to."""

    server: Server
    aim: Aim
    watch: Watch
    upstream: str
    before: Sizes

    def held(self) -> int:
        """Of the attackers; the other client is always asking for something."""
        return sum(Books(self.server, who).shown()["held"] for who in ATTACKERS)

    def checked(self) -> str:
        """What `ledger check` has to say, if anything."""
        try:
            self.server.run("ledger", "check")
        except AssertionError as error:
            return str(error)
        return ""

    def round(self, name: str, shots: Sequence[Shot], abreast: int, seconds: float) -> Round:
        """Fire all shots, at most `abreast` at once, and begin none after so many seconds."""
        seen: list[Seen] = []
        skipped: dict[str, None] = {}
        for shot in shots:  # what can be made beforehand
            shot.pieces(self.aim, "")
        end = time.monotonic() + seconds

        def one(shot: Shot, number: int) -> None:
            if time.monotonic() > end:
                skipped[shot.name] = None
                return
            seen.append(fire(shot, self.aim, self.aim.token(number)))

        def run(peaks: Callable[[], None]) -> None:
            with ThreadPoolExecutor(abreast) as crowd:
                clients = [shot for shot in shots for _ in range(shot.at_once)]
                futures = [crowd.submit(one, shot, n) for n, shot in enumerate(clients)]
                while not all(future.done() for future in futures):
                    peaks()
                    time.sleep(0.3)
                for future in futures:
                    future.result()

        return self.observed(name, seen, list(skipped), run)

    def observed(
        self,
        name: str,
        seen: list[Seen],
        skipped: list[str],
        run: Callable[[Callable[[], None]], None],
        *,
        kills: bool = False,
    ) -> Round:
        """Run something with the eyes open: a round of what was `seen`, and what it left."""
        peak = 0.0

        def peaks() -> None:
            nonlocal peak
            peak = max(peak, sizes(self.server).megabytes)

        began = time.monotonic()
        run(peaks)
        after, held = self._afterwards()
        figures = self.watch.figures(began, time.monotonic())
        return Round(name, seen, figures, peak, after, held, self.checked(), skipped, kills=kills)

    def _afterwards(self) -> tuple[Sizes, int]:
        """What is left ten seconds later, or as soon as nothing is."""
        end = time.monotonic() + LATER
        time.sleep(1)  # the measuring client tells of the last moment too
        while True:
            now, held = sizes(self.server), self.held()
            light = now.megabytes <= self.before.megabytes * GROWTH + GROWN
            clean = not held and not now.extra(self.before)
            if (light and clean) or time.monotonic() > end:
                return now, held
            time.sleep(0.5)


@contextmanager
def staged(folder: Path, weights: str, warm: Callable[[Aim], None]) -> Iterator[Stage]:
    """A service of its own, warmed up so that all its parts are loaded."""
    with (
        socket.create_server(("127.0.0.1", 0), backlog=1024) as swallows,
        hostile_upstream() as url,
    ):
        folder.mkdir()
        port = swallows.getsockname()[1]
        (folder / "xinghe.toml").write_text(
            f'[fetching.hosts]\n"swallows.example" = "127.0.0.1:{port}"\n'
            f'[safety.upstream]\nurl = "{url}/v1"\n',
            "utf-8",
        )
        with Server(folder, "--model", weights, models=models_toml(url + "/v1")) as server:
            for who in [*ATTACKERS, OTHER]:
                server.run("member", "create", who)
            tokens = [server.token(account=who) for who in [*ATTACKERS, OTHER]]
            for who in [*ATTACKERS, OTHER]:
                server.run("member", "grant", who, "100000000")
            aim = Aim(server.url, tokens[:-1])
            with watching(server, tokens[-1]) as watch:
                warm(aim)
                time.sleep(16)  # kept connections to upstreams close after 15 s
                yield Stage(server, aim, watch, url, sizes(server))
