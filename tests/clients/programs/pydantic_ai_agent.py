"""The newest pydantic-ai: an agent with one tool, in one piece and as a stream.

Its model of responses, or with the argument `chat` that of chat completions.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from pydantic_ai import Agent, PartDeltaEvent, PartStartEvent, TextPart, TextPartDelta
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

MODELS = {"responses": OpenAIResponsesModel, "chat": OpenAIChatModel}


async def program(task: dict[str, str], kind: str) -> dict[str, Any]:
    """`whole` and `stream` are two prompts of the same story: a call, then an answer."""
    cities: list[str] = []

    def weather(city: str) -> str:
        """天气"""
        cities.append(city)
        return "晴"

    provider = OpenAIProvider(base_url=task["base_url"], api_key=task["key"])
    model = MODELS[kind](task["model"], provider=provider)
    agent = Agent(model, instructions="简短。", tools=[weather])
    answered = await agent.run(task["whole"])
    pieces: list[str] = []

    async def listen(_: object, events: Any) -> None:
        async for event in events:
            match event:
                case PartStartEvent(part=TextPart(content=text)):
                    pieces.append(text)
                case PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
                    pieces.append(text)

    streamed = await agent.run(task["stream"], event_stream_handler=listen)
    return {
        "answers": [answered.output, streamed.output],
        "pieces": pieces,
        "cities": cities,
        "tokens": answered.usage.total_tokens,
    }


json.dump(asyncio.run(program(json.load(sys.stdin), sys.argv[1])), sys.stdout)
