"""The bridge of the documentation runs as it stands there, between a payment service and us."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.docs.pages import page
from tests.kit.command import environment
from tests.kit.payer import KEY, Bill
from tests.kit.raw import Connection
from tests.kit.server import free_port
from tests.sales.payment.conftest import Street
from tests.supervisor.kit import until


@contextmanager
def bridge(folder: Path, product: str) -> Iterator[str]:
    """Its URL."""
    (program,) = [b.text for b in page("docs/payment.en.md").blocks if b.language == "python"]
    file, port = folder / "bridge.py", free_port()
    file.write_text(program, "utf-8")
    variables = {
        "XINGHE_PAYMENTS": f"{product}/payments/bridge",
        "PAYMENT_SECRET": KEY,
        "PORT": str(port),
    }
    running = subprocess.Popen([sys.executable, str(file)], env=environment(variables))
    try:
        url = f"http://127.0.0.1:{port}"
        until("it listens", lambda: listens(url))
        yield url
    finally:
        running.terminate()
        running.wait()


def listens(url: str) -> bool:
    try:
        with Connection(url):
            return True
    except OSError:
        return False


def notify(url: str, bill: Bill, *, paid: bool) -> int:
    """As the payment service does; the status of the answer."""
    told = {"payment": bill.reference, "order": bill.order, "paid": paid}
    body = json.dumps({**told, "total": bill.price, "currency": bill.currency}).encode()
    with Connection(url) as connection:
        connection.request("POST", "/", body)
        status, _ = connection.head()
    return status


def test_a_payment_goes_over_the_bridge(street: Street, tmp_path: Path) -> None:
    order, bill = street.bought()
    with bridge(tmp_path, street.server.url) as url:
        assert notify(url, bill, paid=False) == 200
        assert street.shop.state(order) == "failed"
        assert [notify(url, bill, paid=True) for _ in range(3)] == [200] * 3
    assert street.shop.outcomes(order) == ["failed", "paid"]
    assert street.shop.credited() == 1


def test_what_we_do_not_take_is_told_again(street: Street, tmp_path: Path) -> None:
    _, bill = street.bought()
    with bridge(tmp_path, f"http://127.0.0.1:{free_port()}") as url:
        assert notify(url, bill, paid=True) == 502
    assert street.shop.credited() == 0
