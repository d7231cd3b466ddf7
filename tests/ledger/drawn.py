"""What is drawn for the state machine of the ledger."""

from __future__ import annotations

from typing import TypeAlias

from hypothesis import strategies as st

from tests.ledger.world import MEMBERS, WALLETS
from xinghe.ledger import Window
from xinghe.ledger.holds import Counts
from xinghe.sales.orders import State
from xinghe.sales.packages import Offer

MEMBER, WALLET = st.sampled_from(MEMBERS), st.sampled_from(WALLETS)
PROCESS = st.sampled_from(["one", "two"])
DAY = 86_400_000_000
WINDOWS = st.sampled_from(
    [
        Window("total"),
        Window("hour"),
        Window("day", zone="Asia/Shanghai"),
        Window("week"),
        Window("month", zone="America/New_York"),
    ]
)
PAYS = st.sampled_from(["own", "own, shared", "shared, own", "shared"])
MODEL = st.sampled_from(["m", "n"])
MODELS = st.sampled_from([None, None, ["m"], ["n"], ["m", "n"], ["o"]])
"""What a grant may pay for."""
AMOUNTS = st.integers(0, 100)
OFFERS = st.builds(
    lambda amount, price, days, models: Offer(
        name="", amount=amount, price=price, currency="CNY", valid_days=days, models=models
    ),
    st.integers(1, 500),
    st.integers(0, 990),
    st.sampled_from([None, 1, 20]),
    MODELS.map(lambda models: None if models is None else tuple(models)),
)
STATES: st.SearchStrategy[State] = st.sampled_from(["open", "failed", "cancelled"])
"""In which an order is when its payment comes."""
STEPS = st.integers(1, 12)
COUNTS = st.builds(
    lambda prompt, completion, cached, search, searches: Counts(
        prompt, completion, min(prompt, cached), min(prompt, search), searches
    ),
    st.integers(0, 6),
    st.integers(0, 6),
    st.integers(0, 3),
    st.integers(0, 6),
    st.integers(0, 2),
)
PLACES = st.sampled_from([("database",), ("journal",), ("database", "journal")])
"""Where a process writes: the journal takes what the database does not take in time, or both do."""


Begun: TypeAlias = tuple[bool, list[tuple[Counts, tuple[str, ...]]], tuple[str, ...] | None]
BEGUN = st.lists(
    st.tuples(st.booleans(), st.lists(st.tuples(COUNTS, PLACES), max_size=2), st.none() | PLACES),
    max_size=5,
)
"""Whether it streams, its checkpoints, and how it is captured, if it is."""
FATES = st.sampled_from(["buried", "fenced", "fenced, with a budget"])
