"""Parts of the service are killed (SIGKILL) in the middle of a crowd of requests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

import psutil

from tests.attack import pictures, readers, schemas, texts
from tests.attack.hosts import ABLE, EMBEDDED
from tests.attack.shot import Aim, Seen, Shot, asked, fire
from tests.attack.sizes import family, name, sizes
from tests.kit.server import Server
from tests.supervisor.kit import GATEWAY, root, status, until

TOLD = ("200", "200 error", "200 cut", "400", "429", "500", "503", "closed", "reset")
"""What may come of a request whose server dies; never that it hangs."""

CROWD = [
    Shot("formed", readers.FORMED, TOLD, within=60),
    Shot("schema", schemas.SHOTS[0].pieces, TOLD, within=60),
    Shot("picture", pictures.SHOTS[-4].pieces, TOLD, within=60),
    # Made at idle priority: the crowd goes first.
    Shot("vectors", readers.TEXTS, TOLD, within=150),
    Shot("long text", texts.SHOTS[0].pieces, TOLD, within=60),
    Shot("endless", readers.ENDLESS, TOLD, within=60),
    Shot(
        "story",
        asked(
            "/chat/completions",
            {
                "model": EMBEDDED,
                "messages": [{"role": "user", "content": "Count to fifty."}],
                "max_completion_tokens": 60,
            },
        ),
        TOLD,
        within=60,
    ),
    Shot(
        "tool",
        asked(
            "/chat/completions",
            {
                "model": ABLE,
                "messages": [{"role": "user", "content": "你好"}],
                "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
            },
        ),
        TOLD,
        within=60,
    ),
]


def killed(server: Server, aim: Aim, say: Callable[[Seen], None]) -> None:
    """Every kind of process once, the gateway last; the supervisor itself lives on."""
    kinds = sorted(sizes(server).processes.keys() - {name(root(server)), GATEWAY})
    for kind in [*kinds, GATEWAY]:
        crowd = [
            threading.Thread(target=lambda s, n: say(fire(s, aim, aim.token(n))), args=[shot, n])
            for n, shot in enumerate(CROWD * 2)
        ]
        for one in crowd:
            one.start()
        time.sleep(0.7)
        for process in family(server):
            with suppress(psutil.Error):  # it has just ended by itself
                if name(process) == kind:
                    process.kill()
        for one in crowd:
            one.join()
        until(f"ready after {kind} was killed", lambda: _ready(server), timeout=60)


def _ready(server: Server) -> bool:
    try:
        return status(server, "/readyz") == 200
    except (OSError, EOFError):
        return False
