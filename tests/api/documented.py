"""The tables of sections 2.1–2.3 and 2.6, as the source prints them."""

from __future__ import annotations

K = 1024

CHAT = {
    # model: (context, max input, max output, default output)
    "ernie-4.5-turbo-128k": (128 * K, 123 * K, 12288, 2 * K),
    "ernie-4.5-turbo-32k": (32 * K, 27 * K, 12288, 2 * K),
    "ernie-4.5-8k-preview": (8 * K, 5 * K, 2048, 2 * K),
    "deepseek-v3": (128 * K, 128 * K, 8 * K, 4 * K),
    "ernie-4.0-8k": (8 * K, 5 * K, 2048, 2 * K),
    "ernie-4.0-turbo-128k": (128 * K, 124 * K, 4096, 4 * K),
    "ernie-4.0-turbo-8k": (8 * K, 5 * K, 2048, 2 * K),
    "ernie-3.5-8k": (8 * K, 5 * K, 2048, 2 * K),
    "ernie-char-8k": (8 * K, 7 * K, 2048, 1 * K),
    "ernie-speed-8k": (8 * K, 6 * K, 2048, 1 * K),
    "ernie-speed-128k": (128 * K, 124 * K, 4096, 4 * K),
    "ernie-tiny-8k": (8 * K, 6 * K, 2048, 1 * K),
    "ernie-lite-8k": (8 * K, 6 * K, 2048, 1 * K),
    "ernie-x1-turbo-32k": (32 * K, 24 * K, 16384, 2 * K),
    "ernie-x1-32k": (32 * K, 24 * K, 16384, 2 * K),
    "ernie-x1-32k-preview": (32 * K, 24 * K, 16384, 2 * K),
    "deepseek-r1-250528": (96 * K, 64 * K, 16 * K, 4 * K),
    "deepseek-r1": (96 * K, 64 * K, 16 * K, 4 * K),
    "ernie-4.5-turbo-vl-32k": (32 * K, 27 * K, 12288, 2 * K),
}

WEB_SEARCH = {
    *(name for name in CHAT if name.startswith(("ernie-4.5-", "ernie-4.0-"))),
    "ernie-3.5-8k",
    "deepseek-v3",
    "deepseek-r1",
    "deepseek-r1-250528",
}

TOOLS = {"ernie-x1-turbo-32k", "deepseek-v3", "deepseek-r1", "deepseek-r1-250528"}

JSON_OBJECT = set(CHAT) - {"ernie-x1-32k-preview"}

JSON_SCHEMA = {
    *(name for name in CHAT if name.startswith(("ernie-4.5-", "ernie-4.0-turbo-"))),
    "ernie-3.5-8k",
}

IMAGES = {"ernie-4.5-turbo-vl-32k", "ernie-4.5-8k-preview"}

REASONING = {
    "ernie-x1-turbo-32k",
    "ernie-x1-32k",
    "ernie-x1-32k-preview",
    "deepseek-r1-250528",
    "deepseek-r1",
}

CAPABILITIES = {
    "web_search": WEB_SEARCH,
    "tools": TOOLS,
    "json_object": JSON_OBJECT,
    "json_schema": JSON_SCHEMA,
    "images": IMAGES,
    "reasoning": REASONING,
}
