"""The attacked service's models: on the hostile upstream, and on the embedded engine."""

from __future__ import annotations

from tests.attack.shot import KEY

PLAIN = "attacked-plain"
"""Its upstream does what the text says: `hurt:chat:<fault>`; any other text gets an answer."""
ABLE = "attacked-able"
"""The same, with tools, formats and pictures."""
LONG = "attacked-long"
"""The same with room for 500,000 characters."""
EMBEDDED = "ernie-3.5-8k"
"""On the embedded engine, with structured output."""
VECTORS = "bge-large-zh"
"""Its vectors come from the upstream."""
LOCAL_VECTORS = "embedding-v1"
DRAWN = "Stable-Diffusion-XL"
"""Its images come from the upstream."""
SILENCE = 2.0
"""Seconds that an upstream may say nothing."""

MODELS = """
[limits]
qps = 0
rpm = 0
tpm = 0

[defaults]
rpm = 0
tpm = 0

[deployments.hostile]
engine = "upstream"
url = "{url}"
key = "{key}"
model = "hostile"
context = 524288
slots = 64
silence_timeout = {silence}

[deployments.hostile-vectors]
engine = "upstream-embedding"
url = "{url}"
key = "{key}"
model = "hostile"
silence_timeout = {silence}

[deployments.hostile-images]
engine = "upstream-images"
url = "{url}"
key = "{key}"
model = "hostile"
slots = 64
silence_timeout = {silence}

[models."attacked-plain"]
kind = "chat"
context = 32768
max_input = 16384
output_max = 2048
output_default = 1024
deployment = "hostile"

[models."attacked-able"]
kind = "chat"
context = 32768
max_input = 16384
output_max = 2048
output_default = 1024
reasoning_max = 512
capabilities = ["reasoning", "web_search", "tools", "json_object", "json_schema", "images"]
deployment = "hostile"

[models."attacked-long"]
kind = "chat"
context = 524288
max_input = 400000
output_max = 2048
output_default = 1024
deployment = "hostile"

[models."bge-large-zh"]
deployment = "hostile-vectors"

[models."Stable-Diffusion-XL"]
deployment = "hostile-images"
"""


def models_toml(url: str) -> str:
    """The text of the file, for a hostile upstream at this base URL."""
    return MODELS.format(url=url, key=KEY, silence=SILENCE)
