"""The newest litellm, as a client of any OpenAI-compatible service."""

from __future__ import annotations

from typing import Any

import litellm

from tests.clients.programs.task import Report, Task, refusal, run


def program(task: Task, report: Report) -> None:
    def ask(model: str, messages: list[dict[str, str]], **more: Any) -> Any:
        known = {"api_base": task.base_url, "api_key": task.key, "max_tokens": task.max_tokens}
        return litellm.completion(model=f"openai/{model}", messages=messages, **known | more)

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

    hello = [{"role": "user", "content": "你好"}]
    report.refusals["model"] = refusal(lambda: ask("no-such-model", hello))
    report.refusals["key"] = refusal(lambda: ask(task.model, hello, api_key="wrong"))


run(program)
