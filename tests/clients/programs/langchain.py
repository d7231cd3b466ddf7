"""The newest langchain-openai."""

from __future__ import annotations

from langchain_openai import ChatOpenAI

from tests.clients.programs.task import Report, Task, refusal, run


def program(task: Task, report: Report) -> None:
    def model(name: str, key: str = task.key) -> ChatOpenAI:
        return ChatOpenAI(
            model=name, base_url=task.base_url, api_key=key, max_tokens=task.max_tokens
        )

    chat = model(task.model)
    messages: list[object] = []
    for question in task.questions:
        messages.append(("user", question))
        answer = chat.invoke(messages)
        messages.append(answer)
        report.answers.append(answer.content)
        report.prompt_tokens.append(answer.usage_metadata["input_tokens"])

    for chunk in model(task.scripted_model).stream([("user", task.script)]):
        if chunk.content:
            report.pieces.append(chunk.content)

    report.refusals["model"] = refusal(lambda: model("no-such-model").invoke("你好"))
    report.refusals["key"] = refusal(lambda: model(task.model, "wrong").invoke("你好"))


run(program)
