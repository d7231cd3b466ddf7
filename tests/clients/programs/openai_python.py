"""The newest openai-python."""

from __future__ import annotations

from openai import OpenAI
from openai.types.chat import ChatCompletionMessageParam

from tests.clients.programs.task import Report, Task, refusal, run


def program(task: Task, report: Report) -> None:
    client = OpenAI(base_url=task.base_url, api_key=task.key)
    messages: list[ChatCompletionMessageParam] = []
    for question in task.questions:
        messages.append({"role": "user", "content": question})
        answer = client.chat.completions.create(
            model=task.model, messages=messages, max_completion_tokens=task.max_tokens
        )
        text = answer.choices[0].message.content or ""
        assert answer.usage is not None
        messages.append({"role": "assistant", "content": text})
        report.answers.append(text)
        report.prompt_tokens.append(answer.usage.prompt_tokens)

    for chunk in client.chat.completions.create(
        model=task.scripted_model,
        messages=[{"role": "user", "content": task.script}],
        stream=True,
    ):
        if chunk.choices[0].delta.content:
            report.pieces.append(chunk.choices[0].delta.content)

    hello: list[ChatCompletionMessageParam] = [{"role": "user", "content": "你好"}]
    report.refusals["model"] = refusal(
        lambda: client.chat.completions.create(model="no-such-model", messages=hello)
    )
    stranger = OpenAI(base_url=task.base_url, api_key="wrong")
    report.refusals["key"] = refusal(
        lambda: stranger.chat.completions.create(model=task.model, messages=hello)
    )


run(program)
