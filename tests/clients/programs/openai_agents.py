"""The newest openai-agents: an agent with one tool, in one piece and as a stream."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from agents import Agent, OpenAIResponsesModel, Runner, function_tool, set_tracing_disabled
from openai import AsyncOpenAI

set_tracing_disabled(True)


async def program(task: dict[str, str]) -> dict[str, Any]:
    """`whole` and `stream` are two prompts of the same story: a call, then an answer."""
    cities: list[str] = []

    def weather(city: str) -> str:
        """天气"""
        cities.append(city)
        return "晴"

    client = AsyncOpenAI(base_url=task["base_url"], api_key=task["key"])
    agent = Agent(
        name="helper",
        instructions="简短。",
        tools=[function_tool(weather)],
        model=OpenAIResponsesModel(model=task["model"], openai_client=client),
    )
    answered = await Runner.run(agent, task["whole"])
    streamed = Runner.run_streamed(agent, task["stream"])
    pieces = [
        event.data.delta
        async for event in streamed.stream_events()
        if event.type == "raw_response_event" and event.data.type == "response.output_text.delta"
    ]
    return {
        "answers": [answered.final_output, streamed.final_output],
        "pieces": pieces,
        "cities": cities,
        "tokens": answered.context_wrapper.usage.total_tokens,
    }


json.dump(asyncio.run(program(json.load(sys.stdin))), sys.stdout)
