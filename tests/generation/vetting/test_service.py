"""Vetting in real workers: what is hostile is refused in time, once, and tells what it knows."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from typing import Any

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from tests.kit import hostile
from xinghe.core import Busy, Delta, TextDelta, Tool, ToolUse
from xinghe.generation.json_check import GrammarCheck, InvalidOutput
from xinghe.generation.structure import Unguaranteed
from xinghe.generation.vetting import Unverified, VettedForm, Vetting

pytestmark = pytest.mark.asyncio(loop_scope="module")
SMALL = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
ONLY = 'start: "yes" | "no"'
SLOW = 200_000
"""Characters that take some tenths of a second to follow."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def vetting() -> AsyncIterator[Vetting]:
    running = Vetting()
    await running.form(None, max_tokens=1, account="z", first=nothing)
    yield running
    await running.aclose()


async def nothing() -> None:
    pass


async def never() -> None:
    raise AssertionError("no worker is to be asked")


async def vet(vetting: Vetting, schema: Any, account: str = "a") -> VettedForm:
    return await vetting.form(schema, max_tokens=1024, account=account, first=nothing)


@pytest.mark.parametrize(
    "schema",
    [
        hostile.patterns(38),
        hostile.pattern_properties(100),
        hostile.choices(10, 11),
        hostile.of_itself(200),
        hostile.mutual(50),
        hostile.cycle(16),
        hostile.cycle(200),
        hostile.FLAGGED,
        hostile.ONE_OF_THREE,
        {"const": 10**4000},
        {"properties": {"\ud800": {"pattern": "\ud800"}}},
        {"type": "object", "properties": {"x" * 150_000: hostile.of_itself(300)}},
    ],
    ids=map(str, range(12)),
)
async def test_it_is_served_or_refused_in_time_and_then_at_once(
    vetting: Vetting, schema: Any
) -> None:
    began = time.monotonic()
    found = await outcome(vet(vetting, schema))
    assert time.monotonic() - began < 20  # the machine may be busy; alone it takes 2.1 s
    again = vetting.form(schema, max_tokens=1024, account="b", first=never)
    assert await outcome(again) == found


async def outcome(vetted: Awaitable[VettedForm]) -> str:
    """The grammar, or what the refusal says."""
    try:
        return (await vetted).constraint.grammar
    except Unguaranteed as error:
        return str(error)


@pytest.mark.parametrize("schema", [hostile.cycle(16), hostile.FLAGGED, hostile.ONE_OF_THREE])
async def test_real_schemas_are_served(vetting: Vetting, schema: Any) -> None:
    assert (await vet(vetting, schema)).constraint.grammar


@pytest.mark.parametrize(
    ("schema", "right", "wrong"),
    [
        (hostile.FLAGGED, '{"a": 0.5}', '{"a": 0}'),
        (hostile.ONE_OF_THREE, '{"kind": "b"}', '{"kind": "d"}'),
        (hostile.cycle(16), '{"next": [{"next": []}]}', '{"next": [1]}'),
    ],
)
async def test_answers_are_checked_in_the_worker(
    vetting: Vetting, schema: Any, right: str, wrong: str
) -> None:
    form = await vet(vetting, schema)
    assert await form.check(right) is None
    assert await form.check(wrong) is not None
    follow = GrammarCheck(form.constraint.grammar, vetting, "a")
    for letter in right:
        await follow([TextDelta(letter, 1)])


async def test_a_bound_that_is_exceeded_is_a_refusal_that_says_which(vetting: Vetting) -> None:
    with pytest.raises(Unguaranteed, match=r"takes more than (2 s|512 MB) to compile") as refusal:
        await vet(vetting, hostile.pattern_properties(100, "once"))
    assert not refusal.value.known


async def test_the_function_that_costs_too_much_is_named(vetting: Vetting) -> None:
    parameters = {"type": "object", "properties": {"a": hostile.pattern_properties(100, "f")}}
    use = ToolUse((Tool("small", "", SMALL), Tool("large", "", parameters)))
    with pytest.raises(Unguaranteed) as refusal:
        await vetting.tools(use, native=False, max_tokens=99, account="a", first=nothing)
    assert refusal.value.path == "/1/function/parameters"


async def test_nobody_waits_for_another_s_schemas(vetting: Vetting) -> None:
    calls = [
        asyncio.create_task(vet(vetting, hostile.pattern_properties(100, f"b{n}")))
        for n in range(8)
    ]
    await asyncio.sleep(0)
    for number in range(5):
        await vet(vetting, SMALL | {"description": f"{number}"}, "b")
    # Each of the eight takes 2 s: in the order of their coming, all but one would be over.
    assert sum(call.done() for call in calls) < 4
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)


async def test_the_same_schema_of_many_is_vetted_once_by_each_worker(vetting: Vetting) -> None:
    same = hostile.pattern_properties(100, "the same")
    with capture_logs() as logs:
        calls = [outcome(vet(vetting, same, f"s{n % 5}")) for n in range(20)]
        found = set(await asyncio.gather(*calls))
    assert len(found) == 1
    assert 1 <= [entry["event"] for entry in logs].count("schema_refused") <= 2


async def test_what_an_account_sends_many_times_at_once_fills_no_queue(vetting: Vetting) -> None:
    schema = SMALL | {"description": "many times"}
    assert len(await asyncio.gather(*(vet(vetting, schema) for _ in range(50)))) == 50
    slow = [
        asyncio.create_task(vet(vetting, hostile.pattern_properties(100, "many")))
        for _ in range(50)
    ]
    await asyncio.sleep(0)
    slow[0].cancel()
    assert await vet(vetting, SMALL | {"description": "beside them"})
    found = await asyncio.gather(*slow[1:], return_exceptions=True)
    assert {type(one) for one in found} == {Unguaranteed}


async def test_too_many_are_told_to_come_again(vetting: Vetting) -> None:
    calls = [
        asyncio.create_task(vet(vetting, hostile.pattern_properties(100, f"c{n}")))
        for n in range(9)
    ]
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await vet(vetting, hostile.pattern_properties(100, "one more"))
    assert await vet(vetting, SMALL | {"description": "c"}, "b")
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)


async def test_a_schema_that_kills_workers_is_held_for_a_while() -> None:
    """As many as send it must not each end two workers, one after the other."""
    mortal = Vetting()
    schema = hostile.pattern_properties(100, "it kills")
    asked = asyncio.create_task(vet(mortal, schema))
    while not asked.done():
        for pid in mortal.pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(0.01)
    for refused in (asked, mortal.form(schema, max_tokens=1024, account="b", first=never)):
        with pytest.raises(Unguaranteed, match="cannot be compiled"):
            await refused
    await mortal.aclose()


async def test_what_comes_first_comes_before_a_worker(vetting: Vetting) -> None:
    async def poor() -> None:
        raise PermissionError

    with pytest.raises(PermissionError):
        await vetting.form(
            hostile.pattern_properties(100, "d"), max_tokens=9, account="a", first=poor
        )


async def test_text_outside_the_grammar_is_no_answer(vetting: Vetting) -> None:
    follow = GrammarCheck(ONLY, vetting, "a")
    deltas: list[Delta] = [TextDelta("y", 1)]
    assert await follow(deltas) == deltas
    with pytest.raises(InvalidOutput):
        await follow([TextDelta("o", 1)])


async def test_a_grammar_that_does_not_compile_is_no_free_text(vetting: Vetting) -> None:
    with pytest.raises(Unverified):
        await GrammarCheck('start: %json {"not": {}}', vetting, "a")([TextDelta("a", 1)])


async def test_texts_are_followed_by_whichever_worker_has_time(vetting: Vetting) -> None:
    """More than a worker remembers, at once: those that were forgotten are walked again."""
    word = "{" + '"a": "' + "x" * 20 + '"}'
    form = await vet(vetting, SMALL)

    async def follow(account: str) -> None:
        followed = GrammarCheck(form.constraint.grammar, vetting, account)
        for letter in word:
            await followed([TextDelta(letter, 1)])
        with pytest.raises(InvalidOutput):
            await followed([TextDelta("}", 1)])

    await asyncio.gather(*(follow(f"{number}") for number in range(80)))


async def test_nobody_waits_for_another_s_texts(vetting: Vetting) -> None:
    async def follow(text: str, account: str) -> None:
        await GrammarCheck("start: /x*/", vetting, account)([TextDelta(text, 1)])

    await asyncio.gather(*(follow("x", account) for account in "ab"))
    calls = [asyncio.create_task(follow("x" * SLOW, "a")) for _ in range(8)]
    await asyncio.sleep(0)
    await follow("x", "b")
    # Were each text an account of its own, all but one would have gone first.
    assert sum(call.done() for call in calls) < 4
    await asyncio.gather(*calls)


async def test_an_answer_that_takes_too_long_to_check_is_not_promised() -> None:
    hurried = Vetting(seconds=0.001)
    large = {f"p{i}": {"type": "string", "pattern": f"^{i}[a-z]{{1,90}}$"} for i in range(390)}
    slow = json.dumps({"type": "object", "properties": large}).encode()
    with pytest.raises(Unverified, match="WorkerTimeout"):
        await hurried.validate(slow, "{}", "a", arguments=False)
    await hurried.aclose()
