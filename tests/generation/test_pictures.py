"""Pictures for an engine without vision: read one after the other, each of them once."""

from __future__ import annotations

import asyncio

from tests.generation.made import services
from xinghe.catalog import UpstreamDeployment
from xinghe.core import Message, Picture, Sampling
from xinghe.dispatch import ChatDeployment
from xinghe.engines.upstream import UpstreamEngine
from xinghe.generation.pictures import read_pictures
from xinghe.generation.planning import GenerationRequest
from xinghe.pictures import Description
from xinghe.safety import Moderator


class Desk:
    """Reads in the order in which it was asked; `at_once` is the most that it had to keep."""

    def __init__(self) -> None:
        self.read: list[bytes] = []
        self.at_once = 0
        self._waiting = 0

    async def describe(self, picture: Picture, max_characters: int = 0) -> Description:
        self._waiting += 1
        self.at_once = max(self.at_once, self._waiting)
        await asyncio.sleep(0)
        self._waiting -= 1
        self.read.append(picture.data)
        return Description(picture.width, picture.height, lines=(picture.data.decode(),))


async def test_no_picture_waits_for_the_others_of_its_request() -> None:
    """Its time limit counts while it waits: of many pages, the last would go unread."""
    pages = [Picture(name.encode(), "image/png", 9, 9) for name in "甲乙丙"]
    messages = (
        Message("user", "", parts=(pages[0], pages[1])),
        Message("assistant", "好。"),
        Message("user", "", parts=(pages[0], pages[2], pages[0])),
    )
    spec = UpstreamDeployment(url="http://127.0.0.1:9/v1", model="m")
    deployment = ChatDeployment("up", spec, UpstreamEngine("up", spec))
    lists = Moderator(builtin=False)
    desk = Desk()
    request = GenerationRequest("as-0123456789", deployment, messages, Sampling(), 16)
    using = services(lists, reader=desk)
    told, _ = await read_pictures(using, request)
    assert (desk.read, desk.at_once) == ([page.data for page in pages], 1)
    last = told[-1].content
    assert last.index("图片3") < last.index("甲") < last.index("丙") < last.rindex("甲")


async def test_pictures_alone_are_asked_about_wherever_they_stand() -> None:
    """In the language of the conversation; a message with words is left as it is."""
    page = Picture(b"a", "image/png", 9, 9)
    alone, asked = (
        Message("user", "", parts=(page,)),
        Message("user", "What?", parts=("What?", page)),
    )
    spec = UpstreamDeployment(url="http://127.0.0.1:9/v1", model="m")
    deployment = ChatDeployment("up", spec, UpstreamEngine("up", spec))
    using = services(Moderator(builtin=False), reader=Desk())

    async def told(*messages: Message) -> list[str]:
        request = GenerationRequest("as-0123456789", deployment, messages, Sampling(), 16)
        read, _ = await read_pictures(using, request)
        return [each.content for each in read]

    assert "看不见画面" in (await told(alone))[0]
    first, answer, second = await told(alone, Message("assistant", "A letter."), asked)
    assert "you cannot see" in first
    assert (answer, second.endswith("」]")) == ("A letter.", True)
