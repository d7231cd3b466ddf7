"""Which slot a request gets."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from xinghe.engines.llamacpp.slots import ChildSlots

CONTEXT = 1000
FRAME, ONE, OTHER = list(range(10)), list(range(100, 140)), list(range(200, 240))


async def served(
    slots: ChildSlots, account: int | None, prompt: list[int], *, cancelled: bool = False
) -> tuple[int, bool]:
    """A whole request; gives its slot's number and whether it continues what the slot holds."""
    async with slots.hold(account, prompt, 100) as slot:
        found = slot.number, slot.reused
        slot.read()
        if not cancelled:
            slot.ended()
        return found


async def test_a_conversation_goes_on_in_its_slot() -> None:
    slots = ChildSlots(3, CONTEXT)
    assert await served(slots, 1, FRAME + ONE) == (0, False)
    assert await served(slots, 2, FRAME + ONE) == (1, False)
    assert await served(slots, 1, FRAME + ONE + OTHER) == (0, True)
    assert await served(slots, 2, FRAME + ONE + ONE) == (1, True)
    assert await served(slots, 1, FRAME + OTHER) == (2, False), "another conversation"
    assert await served(slots, 1, FRAME + OTHER + ONE) == (2, True)
    assert await served(slots, 1, FRAME + ONE + OTHER + OTHER) == (0, True)


async def test_the_slot_that_is_longest_unused_changes_hands() -> None:
    slots = ChildSlots(2, CONTEXT)
    for account in (1, 2, 1):
        await served(slots, account, ONE)
    assert await served(slots, 3, ONE) == (1, False)
    assert await served(slots, 2, ONE) == (0, False), "what it had is gone"


async def test_what_a_slot_holds_is_nobody_s_until_the_child_has_begun() -> None:
    slots = ChildSlots(1, CONTEXT)
    await served(slots, 1, ONE)
    async with slots.hold(2, ONE, 100) as slot:
        assert not slot.reused  # and it is cancelled here, before the child said anything
    assert await served(slots, 2, ONE) == (0, False)
    assert await served(slots, 2, ONE) == (0, True)


async def test_a_slot_still_at_work_for_one_who_left_is_the_last_choice() -> None:
    slots = ChildSlots(2, CONTEXT)
    assert await served(slots, 1, ONE, cancelled=True) == (0, False)
    assert await served(slots, 1, ONE) == (1, False)
    async with slots.hold(1, ONE, 100) as one, slots.hold(2, ONE, 100) as other:
        assert (one.number, other.number) == (1, 0)


async def test_nobody_waits_for_a_slot_while_another_is_free() -> None:
    slots = ChildSlots(3, CONTEXT)
    await served(slots, 1, ONE)
    async with AsyncExitStack() as stack:
        held = [await stack.enter_async_context(slots.hold(1, ONE, 100)) for _ in range(3)]
        assert sorted(slot.number for slot in held) == [0, 1, 2]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05), slots.hold(2, ONE, 100):
                pass
    assert not (await served(slots, 2, OTHER))[1]


async def test_who_names_no_account_continues_nothing() -> None:
    slots = ChildSlots(1, CONTEXT)
    await served(slots, None, ONE)
    assert await served(slots, None, ONE) == (0, False)


async def test_prompts_with_pictures_are_compared_by_their_text() -> None:
    slots = ChildSlots(2, CONTEXT)
    one = {"prompt_string": "look <m> at this", "multimodal_data": ["a"]}
    async with slots.hold(1, one, 100) as slot:
        slot.read()
        slot.ended()
    more = {"prompt_string": "look <m> at this, and then", "multimodal_data": ["a"]}
    async with slots.hold(1, more, 100) as again:
        assert (again.number, again.reused) == (0, True)


async def test_what_has_no_room_beside_those_at_work_is_dropped_the_oldest_first() -> None:
    slots = ChildSlots(4, 150)
    await served(slots, 1, ONE)
    await served(slots, 2, ONE)
    async with slots.hold(3, OTHER, 60) as slot:
        assert list(slots.in_the_way()) == []
        slot.read()
        slot.ended()
    async with slots.hold(4, OTHER, 60):
        assert [slot.number for slot in slots.in_the_way()] == [0]
        assert list(slots.in_the_way()) == []
    assert await served(slots, 2, ONE) == (1, True)
    assert not (await served(slots, 1, ONE))[1]


async def test_what_a_request_pushes_out_is_gone_though_it_leaves_at_once() -> None:
    slots = ChildSlots(1, CONTEXT)
    await served(slots, 1, FRAME + ONE)
    async with slots.hold(1, FRAME + OTHER, 100) as slot:
        assert slot.known == len(FRAME)
    async with slots.hold(1, FRAME + ONE, 100) as slot:
        assert slot.known == len(FRAME)


async def test_an_answer_is_known_but_for_what_the_child_does_not_tell() -> None:
    slots = ChildSlots(1, CONTEXT)
    async with slots.hold(1, FRAME, 100) as slot:
        slot.read()
        slot.wrote(3, [7])
        slot.wrote(1, [8])
        slot.ended()
    async with slots.hold(1, [*FRAME, 50, 60, 7, 8, *ONE], 100) as slot:
        assert slot.known == len(FRAME) + 4
        slot.read()
        slot.wrote(2, [])
    async with slots.hold(1, [*FRAME, 50, 60, 9], 100) as slot:
        assert slot.known == len(FRAME) + 2


async def test_what_was_not_replaced_is_still_in_the_way() -> None:
    slots = ChildSlots(2, 150)
    await served(slots, 1, ONE)
    await served(slots, 1, OTHER)
    async with slots.hold(2, ONE, 20) as slot:
        assert slot.number == 0  # and its request leaves before anything was sent
    async with slots.hold(2, OTHER, 115) as slot:
        assert slot.number == 1
        assert [other.number for other in slots.in_the_way()] == [0]


async def test_what_the_child_was_not_seen_to_clear_is_still_in_the_way() -> None:
    slots = ChildSlots(3, 150)
    await served(slots, 1, ONE)
    await served(slots, 2, ONE)
    async with slots.hold(3, OTHER, 150):
        assert next(slots.in_the_way()).number == 0  # and its request leaves
    async with slots.hold(3, OTHER, 150) as slot:
        assert slot.number == 1, "the others may be at work still"
        assert [other.number for other in slots.in_the_way()] == [0, 2]
        assert list(slots.in_the_way()) == []


async def test_a_slot_that_is_being_cleared_is_the_last_choice() -> None:
    slots = ChildSlots(3, 150)
    await served(slots, 1, ONE)
    await served(slots, 2, ONE)
    async with slots.hold(3, OTHER, 150):
        clearing = slots.in_the_way()
        assert next(clearing).number == 0
        async with slots.hold(1, ONE, 40) as one, slots.hold(1, ONE, 50) as other:
            assert (one.number, other.number) == (1, 0)
            assert list(clearing) == []
            assert other.size == 50, "it is in use: what it will hold is not forgotten"
