"""The newest instructor, with a response model in each of its usual modes, and without."""

from __future__ import annotations

from typing import Any

import instructor
from openai import OpenAI
from pydantic import BaseModel

from tests.clients.programs.task import Report, Task, refusal, run

MODES = {
    instructor.Mode.TOOLS: "deepseek-v3",
    instructor.Mode.JSON: "ernie-3.5-8k",
    instructor.Mode.JSON_SCHEMA: "ernie-4.5-turbo-32k",
}
"""A model that has what the mode needs."""


class Person(BaseModel):
    """What is to be read out of a sentence."""

    name: str
    age: int


def program(task: Task, report: Report) -> None:
    client = instructor.from_openai(OpenAI(base_url=task.base_url, api_key=task.key))

    def ask(model: str, messages: list[dict[str, str]], **more: Any) -> Any:
        options = {"response_model": None, "max_tokens": task.max_tokens, **more}
        return client.chat.completions.create(model=model, messages=messages, **options)

    messages: list[dict[str, str]] = []
    for question in task.questions:
        messages.append({"role": "user", "content": question})
        answer = ask(task.model, messages)
        text = answer.choices[0].message.content
        messages.append({"role": "assistant", "content": text})
        report.answers.append(text)
        report.prompt_tokens.append(answer.usage.prompt_tokens)

    for chunk in ask(task.scripted_model, [{"role": "user", "content": task.script}], stream=True):
        if chunk.choices[0].delta.content:
            report.pieces.append(chunk.choices[0].delta.content)

    hello = [{"role": "user", "content": "张三今年三十岁。"}]
    report.refusals["model"] = refusal(lambda: ask("no-such-model", hello))
    for mode, model in MODES.items():
        asking = instructor.from_openai(OpenAI(base_url=task.base_url, api_key=task.key), mode=mode)
        person = asking.chat.completions.create(
            model=model,
            messages=hello,
            response_model=Person,
            max_tokens=128,
            temperature=0,
            max_retries=0,
        )
        report.read[mode.value] = person.model_dump()
    stranger = instructor.from_openai(OpenAI(base_url=task.base_url, api_key="wrong"))
    report.refusals["key"] = refusal(
        lambda: stranger.chat.completions.create(
            model=task.model, messages=hello, response_model=None
        )
    )


run(program)
