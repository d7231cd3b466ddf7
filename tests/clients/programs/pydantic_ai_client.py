"""The newest pydantic-ai."""

from __future__ import annotations

import asyncio
from typing import Any

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from tests.clients.programs.task import Report, Task, refusal, run


def program(task: Task, report: Report) -> None:
    def agent(model: str, key: str = task.key) -> Any:
        provider = OpenAIProvider(base_url=task.base_url, api_key=key)
        settings = {"max_tokens": task.max_tokens}
        return Agent(OpenAIChatModel(model, provider=provider), model_settings=settings)

    chat, history = agent(task.model), None
    for question in task.questions:
        answer = chat.run_sync(question, message_history=history)
        history = answer.all_messages()
        report.answers.append(answer.output)
        report.prompt_tokens.append(answer.usage.input_tokens)

    async def stream() -> list[str]:
        async with agent(task.scripted_model).run_stream(task.script) as answer:
            return [text async for text in answer.stream_text(delta=True, debounce_by=None)]

    report.pieces += asyncio.run(stream())
    report.refusals["model"] = refusal(lambda: agent("no-such-model").run_sync("你好"))
    report.refusals["key"] = refusal(lambda: agent(task.model, "wrong").run_sync("你好"))


run(program)
