"""A few entries of each kind, for `make test-all`: answers, books, holds, nothing left.

Times are for `make attack`: here other tests have the machine too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tests.attack import bodies, heads, readers, schemas, upstreams
from tests.attack.hosts import models_toml
from tests.attack.shot import KEY, Aim, Shot, fire
from tests.attack.sizes import sizes
from tests.attack.watch import hostile_upstream
from tests.kit.books import Books
from tests.kit.script import SECRET
from tests.kit.server import Server
from tests.supervisor.kit import until

SCHEMAS = ("all_of_patterns", "any_of_product", "self_200", "mutual_50", "models_16", "draft04")
BODIES = ("logit_bias", "deep_objects", "big_exponent", "csv")
FAULTS = ("bad_size_alone", "redirect_307", "reset_in_body", "deep_objects", "tokens_1e30", "told_")
READERS = ("half open", "half a body", "leaves at once")
pytestmark = pytest.mark.slow  # each kind has its own tests in every run of the suite
EACH = 2
"""Entries of a name: a stream and a whole answer, a form and a function."""


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service on the hostile upstream; no key and no text of it may stand in its log."""
    with hostile_upstream() as url:
        models = models_toml(url + "/v1").replace(
            "[defaults]", '[defaults]\ndeployment = "hostile"'
        )
        with Server(tmp_path_factory.mktemp("short"), models=models) as server:
            server.token()
            yield server
            log = server.log.read_text("utf-8", "replace")
            assert not [secret for secret in (KEY, SECRET, "Traceback") if secret in log]


def _named(shots: Sequence[Shot], names: Sequence[str]) -> list[Shot]:
    found = {name: [shot for shot in shots if name in shot.name] for name in names}
    assert all(found.values()), [name for name in names if not found[name]]
    return [shot for of_name in found.values() for shot in of_name[:EACH]]


def _patient(shot: Shot) -> Shot:
    """A busy machine answers late: what is wrong is an answer that never comes."""
    if shot.leaves is not None:
        return replace(shot, leaves=min(shot.leaves, 0.5))
    return shot if shot.drinks else replace(shot, within=150)


@pytest.mark.parametrize(
    "shots",
    [
        pytest.param(heads.SHOTS, id="heads"),
        pytest.param(_named(schemas.SHOTS, SCHEMAS), id="schemas"),
        pytest.param(_named(bodies.SHOTS, BODIES), id="bodies"),
        pytest.param(_named(upstreams.SHOTS, FAULTS), id="upstreams"),
        pytest.param(_named(readers.SHOTS, READERS), id="readers"),
    ],
)
def test_answers_and_leaves_nothing(attacked: Server, shots: Sequence[Shot]) -> None:
    aim = Aim(attacked.url, [attacked.token()])
    with ThreadPoolExecutor(8) as crowd:
        seen = list(crowd.map(lambda shot: fire(_patient(shot), aim, aim.token(0)), shots))
    # There is no embedded engine here to follow a schema.
    assert not [one for one in seen if not one.allowed and one.outcome != schemas.UNFIT]
    Books(attacked).settled(timeout=60)
    until("no process is a zombie", lambda: sizes(attacked).zombies == 0)
