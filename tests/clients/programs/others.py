"""More clients, each as its documentation has it: a chat, and texts to embed where it does that.

JSON in (`url`, `key`, `model`, `texts`), one line of JSON out: what each got. qianfan reads address
and token from its variables.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from haystack import Document
from haystack.components.embedders import OpenAIDocumentEmbedder
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.utils import Secret
from langchain_openai import OpenAIEmbeddings
from llama_index.embeddings.openai import OpenAIEmbedding
from llama_index.llms.openai_like import OpenAILike
from openai import AsyncOpenAI
from qianfan import ChatCompletion
from semantic_kernel.connectors.ai.open_ai import (
    OpenAIChatCompletion,
    OpenAIChatPromptExecutionSettings,
)
from semantic_kernel.contents import ChatHistory
from smolagents import OpenAIServerModel

QUESTION = "你好"
VECTORS = "embedding-v1"


def in_qianfan(model: str) -> Any:
    chat, messages = ChatCompletion(version="2"), [{"role": "user", "content": QUESTION}]
    whole = chat.do(model=model, messages=messages).body["choices"][0]["message"]["content"]
    stream = chat.do(model=model, messages=messages, stream=True)
    pieces = [choice["delta"]["content"] for each in stream for choice in each.body["choices"]]
    assert "".join(pieces) == whole, pieces
    return whole


async def in_semantic_kernel(base_url: str, key: str, model: str) -> Any:
    client = AsyncOpenAI(base_url=base_url, api_key=key)
    service = OpenAIChatCompletion(ai_model_id=model, async_client=client)
    history = ChatHistory()
    history.add_user_message(QUESTION)
    settings = OpenAIChatPromptExecutionSettings()
    return (await service.get_chat_message_contents(history, settings))[0].content


def chats(base_url: str, key: str, model: str) -> dict[str, Any]:
    """What each is told."""
    secret = Secret.from_token(key)
    haystack = OpenAIChatGenerator(api_key=secret, api_base_url=base_url, model=model)
    llama_index = OpenAILike(model=model, api_base=base_url, api_key=key, is_chat_model=True)
    smolagents = OpenAIServerModel(model, api_base=base_url, api_key=key)
    asked = {"role": "user", "content": [{"type": "text", "text": QUESTION}]}
    return {
        "haystack": haystack.run([ChatMessage.from_user(QUESTION)])["replies"][0].text,
        "llama_index": llama_index.complete(QUESTION).text,
        "qianfan": in_qianfan(model),
        "semantic_kernel": asyncio.run(in_semantic_kernel(base_url, key, model)),
        "smolagents": smolagents([asked]).content,
    }


def vectors(base_url: str, key: str, texts: list[str]) -> dict[str, list[list[float]]]:
    """What each makes of the texts."""
    haystack = OpenAIDocumentEmbedder(
        api_key=Secret.from_token(key),
        api_base_url=base_url,
        model=VECTORS,
        progress_bar=False,
    )
    langchain = OpenAIEmbeddings(
        base_url=base_url, api_key=key, model=VECTORS, check_embedding_ctx_length=False
    )
    llama_index = OpenAIEmbedding(model_name=VECTORS, api_base=base_url, api_key=key)
    documents = haystack.run([Document(content=text) for text in texts])["documents"]
    return {
        "haystack": [each.embedding for each in documents],
        "langchain": langchain.embed_documents(texts),
        "llama_index": llama_index.get_text_embedding_batch(texts),
    }


if __name__ == "__main__":
    task = json.load(sys.stdin)
    base_url = f"{task['url']}/v1"
    report = {
        "chats": chats(base_url, task["key"], task["model"]),
        "dimensions": {
            name: [len(each) for each in found]
            for name, found in vectors(base_url, task["key"], task["texts"]).items()
        },
    }
    print(json.dumps(report))
