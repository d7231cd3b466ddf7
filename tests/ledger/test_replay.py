"""However often a record is replayed, and whoever settled its hold before: it is charged once."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.kit.sqlite import in_memory
from xinghe.accounts import budget_tables
from xinghe.catalog.rate import Rate
from xinghe.ledger import Budget, Window, check, lots
from xinghe.ledger.holds import Counts, Hold, Reserved, reserve
from xinghe.ledger.journal import Record
from xinghe.ledger.reaper import Reaping, settle_process
from xinghe.ledger.settlements import settle
from xinghe.storage import Allowance
from xinghe.storage.connection import Session

OWNER, ELSEWHERE, HOLD = "owner", "elsewhere", "0" * 30
NOTED, USED = Counts(5, 1, 0), Counts(5, 3, 0)
TOTAL = Window("total")
COST = {NOTED: 28, USED: 44}
RECORDS = {
    "capture": Record("capture", HOLD, 1, 10, USED),
    "release": Record("release", HOLD, 1, 10),
    "note": Record("checkpoint", HOLD, 1, 5, NOTED),
}
STEPS = st.sampled_from(["capture", "release", "note", "late", "reap elsewhere", "reap", "spend"])


def opened(connection: Session, *, stream: bool) -> None:
    connection.run("INSERT INTO wallets (id, created_at) VALUES (1, 1)")
    connection.run("INSERT INTO members (id, appid, name, created_at) VALUES (1, 'a', 'a', 1)")
    connection.run(
        "INSERT INTO tokens (id, member_id, public_id, digest, name, scopes, created_at) "
        "VALUES (1, 1, 'p', zeroblob(32), 'n', '[]', 1)"
    )
    lots.credit(connection, 1, 120, kind="grant", at=1)
    budget_tables.create(
        connection, "test", budget_tables.NewBudget("tokens", 1000, TOTAL, token_id=1)
    )
    _reserve(connection, HOLD, 100, OWNER, Rate(4, 8, 1), stream=stream, prompt=5, at=2)


def _reserve(
    connection: Session,
    name: str,
    amount: int,
    owner: str,
    rate: Rate,
    *,
    stream: bool,
    prompt: int,
    at: int,
) -> None:
    budget = Budget(1, "tokens", TOTAL, 1000, "token")
    hold = Hold(name, 1, 1, (1,), (budget,), "as-1", "m", amount, owner, stream, prompt, rate, at)
    assert reserve(connection, hold) == Reserved(1, ((1, 0),))


def spend(connection: Session) -> None:
    """Another request takes all that is left."""
    left = connection.value("SELECT available FROM wallets")
    number = connection.value("SELECT count(*) FROM holds")
    name = f"{number:030}"
    _reserve(connection, name, left, "else", Rate(1, 0, 0), stream=False, prompt=1, at=3)
    record = Record("capture", name, 1, 4, Counts(left, 0, 0))
    assert settle(connection, record)


@settings(deadline=None)
@given(stream=st.booleans(), steps=st.lists(STEPS, max_size=8))
@example(stream=False, steps=["reap elsewhere", "late", "late", "reap"])
@example(stream=False, steps=["reap elsewhere", "spend", "late", "late"])
@example(stream=True, steps=["note", "reap elsewhere", "late", "capture"])
@example(stream=False, steps=["release", "reap elsewhere", "late"])
def test_once(*, stream: bool, steps: list[str]) -> None:
    file, connection = in_memory()
    opened(connection, stream=stream)
    resolved: str | None = None
    cost, left, noted = 0, 20, False
    for step in steps:
        if step == "spend":
            spend(connection)
            left = 0
        elif step.startswith("reap"):
            who = ELSEWHERE if step == "reap elsewhere" else OWNER
            settle_process(connection, Allowance(), Reaping(), boot_id=OWNER, own_boot_id=who)
            if resolved is None:
                resolved = "interrupted" if stream and noted else f"released by {who}"
                cost = COST[NOTED] if stream and noted else 0
                left += 100 - cost
        elif step == "late" or resolved is None:
            record = RECORDS["capture" if step == "late" else step]
            done = settle(connection, record, OWNER if step == "late" else None)
            if step == "note":
                noted = True
            elif resolved is None:
                resolved, cost = record.kind, COST[USED] if record.kind == "capture" else 0
                left += 100 - cost
            elif resolved == f"released by {ELSEWHERE}":
                resolved, cost = "capture", min(COST[USED], left)
                left -= cost
            assert done == (step == "note" or resolved == record.kind)
        else:
            settle(connection, RECORDS[step])
        assert check(connection) == []
        charged = connection.rows(
            "SELECT -amount FROM entries WHERE kind = 'usage' AND hold_id = $1", HOLD
        )
        assert charged == ([(cost,)] if resolved in {"capture", "interrupted"} else [])
        assert connection.value("SELECT available FROM wallets") == left
    file.close()
