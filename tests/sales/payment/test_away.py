"""What is killed or has no database meanwhile: the sender sends again, and it is credited once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.kit.models import ALL_SCRIPTED, models_toml
from tests.kit.payer import Payer, Told
from tests.kit.postgres import Cluster, cluster
from tests.kit.server import Server, free_port
from tests.sales.payment.shop import Shop
from tests.supervisor.kit import until

MANY = 20
"""Orders of one wallet that may wait."""


def product(folder: Path, payer: Payer, url: str) -> Server:
    models = models_toml("http://127.0.0.1:1/v1", free_port(), ALL_SCRIPTED)
    settings = {**payer.settings, "XINGHE_DATABASE__URL": url}
    return Server(folder, models=models, settings=settings)


def test_killed_between_event_and_answer(tmp_path: Path, database_url: str) -> None:
    with Payer() as payer, product(tmp_path, payer, database_url) as server:
        with Shop(tmp_path, database_url) as shop:
            placed = [shop.order() for _ in range(MANY)]
            bills = [payer.visited(shop.checkout(order, payer.checkout_url)) for order in placed]
        told = [bill.succeeded() for bill in bills for _ in range(2)]
        some = threading.Semaphore(0)

        def deliver(each: Told) -> str:
            try:
                outcome = payer.send(server.url, each).outcome
            except (OSError, EOFError, AssertionError):
                return ""  # no answer, or half of one
            some.release()
            return outcome

        with ThreadPoolExecutor(len(told)) as pool:
            answers = [pool.submit(deliver, each) for each in told]
            some.acquire()
            server.kill()
        answered = [answer.result() for answer in answers]
        assert any(answered)
        server.start()
        with Shop(tmp_path, database_url) as shop:
            shop.wallet = placed[0].wallet_id
            for each, before in zip(told, answered, strict=True):
                outcome = payer.send(server.url, each).outcome
                assert outcome in ({before} if before else {"paid", "unchanged"})
            assert {shop.state(order) for order in placed} == {"paid"}
            assert [sorted(shop.outcomes(order)) for order in placed] == [
                ["paid", "unchanged"]
            ] * MANY
            assert shop.credited() == MANY


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Cluster]:
    with cluster(tmp_path / "cluster") as running:
        yield running


def test_without_its_database_the_sender_is_told_to_try_again(tmp_path: Path, own: Cluster) -> None:
    url = own.database()
    with ExitStack() as stack:
        payer = stack.enter_context(Payer())
        server = stack.enter_context(product(tmp_path, payer, url))
        with Shop(tmp_path, url) as shop:
            order = shop.order()
            bill = payer.visited(shop.checkout(order, payer.checkout_url))
        told = bill.succeeded()
        own.server.stop()
        answer = payer.send(server.url, told)
        assert (answer.status, answer.json["error"]["code"]) == (500, "internal_error")
        own.server.start()
        until("it is received", lambda: payer.send(server.url, told).status == 200)
        with Shop(tmp_path, url) as shop:
            shop.wallet = order.wallet_id
            assert shop.outcomes(order) == ["paid"]
            assert shop.credited() == 1
