"""Asks as the service makes them of a member's and a model's limits; 0 is none."""

from __future__ import annotations

from xinghe.limits import MEMBER, Ask, per_minute, per_second


def asks(
    rpm: int = 0, tpm: int = 0, qps: float = 0, *, owner: int | str = 1, model: str = "m"
) -> list[Ask]:
    made = []
    # No member's id is as large as what a word makes.
    who, whose = (owner, MEMBER) if isinstance(owner, int) else (10**6 + sum(owner.encode()), owner)
    if qps:
        made.append(Ask(("qps", who, ""), whose, per_second(qps)))
    if rpm:
        made.append(Ask(("rpm", who, model), whose, per_minute("rpm", rpm)))
    if tpm:
        made.append(Ask(("tpm", who, model), whose, per_minute("tpm", tpm)))
    return made
