"""Microsoft's agent-framework: an agent with one tool, in one piece and as a stream.

Its client of responses, or with the argument `chat` that of chat completions.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from agent_framework import Agent
from agent_framework.openai import OpenAIChatClient, OpenAIChatCompletionClient

CLIENTS: dict[str, Any] = {"responses": OpenAIChatClient, "chat": OpenAIChatCompletionClient}
# Its client of responses goes on from the response before, unless it is told that none is kept.
OPTIONS = {"responses": {"store": False}, "chat": {}}


async def program(task: dict[str, str], kind: str) -> dict[str, Any]:
    """`whole` and `stream` are two prompts of the same story: a call, then an answer."""
    cities: list[str] = []

    def weather(city: str) -> str:
        """天气"""
        cities.append(city)
        return "晴"

    client = CLIENTS[kind](task["model"], api_key=task["key"], base_url=task["base_url"])
    agent = Agent(client, "简短。", tools=[weather], default_options=OPTIONS[kind])
    answered = await agent.run(task["whole"])
    stream = agent.run(task["stream"], stream=True)
    # The whole text comes once more at its end, to replace its pieces.
    pieces = [
        content.text
        async for update in stream
        for content in update.contents
        if content.type == "text" and content.merge_mode != "replace"
    ]
    streamed = await stream.get_final_response()
    return {
        "answers": [answered.messages[-1].text, streamed.messages[-1].text],
        "pieces": pieces,
        "cities": cities,
        "tokens": answered.usage_details["total_token_count"],
    }


json.dump(asyncio.run(program(json.load(sys.stdin), sys.argv[1])), sys.stdout)
