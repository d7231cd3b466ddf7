"""The operator's models.toml of the tests: models that the scripted upstream serves."""

from __future__ import annotations

CHAT = "scripted-chat"
"""Served by the scripted upstream; ratios 1 (input) and 2 (output)."""

TIGHT = "scripted-tight"
"""The same with room for 64 input tokens, so 256 characters."""

DOWN = "scripted-down"
"""Its upstream refuses every connection."""

ABLE = "scripted-able"
"""Can do everything; its upstream calls tools and thinks by itself, and has no vision."""

VISION = "scripted-vision"
"""The same, and its upstream has vision."""

DULL = "scripted-dull"
"""Its upstream gives nothing but text: no tools, no formats, no thoughts."""

PLAIN = "scripted-plain"
"""The same, and the model's card has nothing but text, either."""

STEERED = "scripted-steered"
"""Its upstream thinks by itself, and is told whether to in every form that there is; it tells how
likely its tokens were."""

R1 = "scripted-r1"
"""Its upstream's template opens the thought, so the text has the closing tag only."""

QUIET = "scripted-quiet"
"""Its upstream may say nothing for one second only."""

LONG_STORY = "Write a very long story about dragon number {number}, at least 3000 words."
"""What the small embedded model answers at length: it ends most other answers early."""

TEMPLATE = """
[limits]
qps = 0
rpm = 0
tpm = 0

[defaults]
{defaults}
rpm = 0
tpm = 0

[deployments.scripted]
engine = "upstream"
url = "{url}"
key = "sk-upstream"
model = "scripted"
context = 131072
slots = 64

[deployments.quiet]
engine = "upstream"
url = "{url}"
key = "sk-upstream"
model = "quiet"
context = 131072
silence_timeout = 1.0

[deployments.down]
engine = "upstream"
url = "http://127.0.0.1:{closed}/v1"
model = "down"
context = 131072

[deployments.vision]
engine = "upstream"
url = "{url}"
key = "sk-upstream"
model = "vision"
context = 131072
vision = true

[deployments.dull]
engine = "upstream"
url = "{url}"
key = "sk-upstream"
model = "dull"
context = 131072
tools = false
structure = "none"
thinks = false

[deployments.steered]
engine = "upstream"
url = "{url}"
key = "sk-upstream"
model = "steered"
context = 131072
logprobs = true
thinking_fields = [
    "enable_thinking", "chat_template_kwargs", "thinking", "thinking_budget", "reasoning_effort",
]

[deployments.r1]
engine = "upstream"
url = "{url}"
key = "sk-upstream"
model = "r1"
context = 131072
opens_thought = true

[models."scripted-able"]
kind = "chat"
context = 32768
max_input = 16384
output_max = 2048
output_default = 1024
reasoning_max = 512
capabilities = ["reasoning", "web_search", "tools", "json_object", "json_schema", "images"]
input_ratio = 1.0
output_ratio = 2.0
deployment = "scripted"

[models."scripted-vision"]
kind = "chat"
context = 32768
max_input = 16384
output_max = 2048
output_default = 1024
capabilities = ["images"]
input_ratio = 1.0
output_ratio = 2.0
deployment = "vision"

[models."scripted-dull"]
kind = "chat"
context = 32768
max_input = 16384
output_max = 2048
output_default = 1024
reasoning_max = 512
capabilities = ["reasoning", "web_search", "tools", "json_object", "json_schema"]
input_ratio = 1.0
output_ratio = 2.0
deployment = "dull"

[models."scripted-plain"]
kind = "chat"
context = 32768
max_input = 16384
output_max = 2048
output_default = 1024
deployment = "dull"

[models."scripted-steered"]
kind = "chat"
context = 32768
max_input = 16384
output_max = 2048
output_default = 1024
reasoning_max = 512
capabilities = ["reasoning"]
deployment = "steered"

[models."scripted-r1"]
kind = "chat"
context = 32768
max_input = 16384
output_max = 2048
output_default = 1024
reasoning_max = 512
capabilities = ["reasoning"]
input_ratio = 1.0
output_ratio = 2.0
deployment = "r1"

[models."scripted-chat"]
kind = "chat"
context = 32768
max_input = 16384
output_max = 2048
output_default = 1024
input_ratio = 1.0
output_ratio = 2.0
deployment = "scripted"

[models."scripted-tight"]
kind = "chat"
context = 8192
max_input = 64
output_max = 2048
output_default = 1024
deployment = "scripted"

[models."scripted-down"]
kind = "chat"
context = 32768
max_input = 16384
output_max = 2048
output_default = 1024
deployment = "down"

[models."scripted-quiet"]
kind = "chat"
context = 32768
max_input = 16384
output_max = 2048
output_default = 1024
deployment = "quiet"
"""

ALL_SCRIPTED = 'deployment = "scripted"'
"""Moves every model to the scripted upstream, so that no embedded engine is started."""


def models_toml(upstream_url: str, closed_port: int, defaults: str = "") -> str:
    """The file's text, for an upstream at this base URL and a port that nobody holds.

    `defaults` are lines for every model, such as `ALL_SCRIPTED`.
    """
    return TEMPLATE.format(url=upstream_url, closed=closed_port, defaults=defaults)
