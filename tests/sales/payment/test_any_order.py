"""However events are doubled and reordered, the books end the same."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sales.payment.shop import PRICE, Shop
from xinghe.accounts import AccountError
from xinghe.sales.payment import FAILED, SUCCEEDED, Event

Kind = Literal["payment.succeeded", "payment.failed"]
RIGHT = Decimal(PRICE) / 100


@pytest.fixture
def shop(tmp_path: Path, database_url: str) -> Iterator[Shop]:
    with Shop(tmp_path, database_url) as opened:
        yield opened


KINDS: dict[str, tuple[Kind, Decimal | None, str]] = {
    "success": (SUCCEEDED, RIGHT, "CNY"),
    "failure": (FAILED, None, ""),
    "too little": (SUCCEEDED, RIGHT - Decimal("0.01"), "CNY"),
    "other currency": (SUCCEEDED, RIGHT, "USD"),
}
SAID = st.tuples(
    st.integers(0, 2),  # of which order
    st.sampled_from(sorted(KINDS)),
    st.integers(0, 1),  # in which of its payments
)
SEQUENCES = st.lists(SAID, max_size=8).flatmap(
    lambda said: st.tuples(
        st.lists(st.sampled_from(range(len(said))), max_size=12) if said else st.just([]),
        st.permutations(range(len(said))),
        st.just(said),
    )
)


def test_what_cannot_be_done_is_not_taken_for_received(shop: Shop) -> None:
    """Its sender tries again: whatever was in the way may be gone by then."""
    order = shop.order()
    with pytest.raises(AccountError, match="reference"):
        shop.receive("bridge", Event("1", SUCCEEDED, order.number, "", RIGHT, "CNY"))
    assert shop.events(order) == []
    paid = shop.receive("bridge", Event("1", SUCCEEDED, order.number, "bank", RIGHT, "CNY"))
    assert (paid.outcome, paid.again) == ("paid", False)
    other = shop.order()
    taken = shop.receive("bridge", Event("2", SUCCEEDED, other.number, "bank", RIGHT, "CNY"))
    assert taken.outcome == "mismatch"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sequence=SEQUENCES)
def test_an_order_is_paid_once_if_its_price_came(
    shop: Shop, sequence: tuple[list[int], list[int], list[tuple[int, str, int]]]
) -> None:
    again, order, said = sequence
    shop.new_buyer()
    placed = [shop.order() for _ in range(3)]
    events = []
    for place, (which, kind, payment) in enumerate(said):
        number = placed[which].number
        type_, amount, currency = KINDS[kind]
        reference = f"{number}-{payment}"
        events.append(Event(f"{number}-{place}", type_, number, reference, amount, currency))
    outcomes: dict[int, str] = {}
    for place in [*again, *order]:
        received = shop.receive("bridge", events[place])
        assert received.again == (place in outcomes)
        assert received.outcome == outcomes.setdefault(place, received.outcome)

    paid = {which for which, kind, _ in said if kind == "success"}
    for which, each in enumerate(placed):
        mine = [place for place, told in enumerate(said) if told[0] == which]
        assert len(shop.events(each)) == len(mine)
        assert (shop.state(each) == "paid") == (which in paid)
        references = {said[place][2] for place in mine if said[place][1] == "success"}
        found = [outcomes[place] for place in mine]
        assert found.count("paid") == (which in paid)
        # The first payment pays, and each event of the other asks for a look.
        assert ("overpaid" in found) == (len(references) == 2)
        assert found.count("mismatch") == sum(
            said[p][1] in ("too little", "other currency") for p in mine
        )
        if which not in paid and any(said[p][1] == "failure" for p in mine):
            assert shop.state(each) == "failed"
    assert shop.credited() == len(paid)
