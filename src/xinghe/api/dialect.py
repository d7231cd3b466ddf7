"""The two dialects: the documented one, and strict OpenAI (contract, Mounts)."""

import enum


class Dialect(enum.Enum):
    """Which form an answer takes and which ranges a request may use."""

    DOCUMENTED = "documented"
    OPENAI = "openai"


MOUNTS = {
    # The alias comes first: the longest prefix that fits is the mount.
    "/llm/lmapi/v3/v1": Dialect.DOCUMENTED,
    "/llm/lmapi/v3": Dialect.DOCUMENTED,
    # Baidu's V2 is spoken by qianfan's SDK and others, to the same effect.
    "/v2": Dialect.DOCUMENTED,
    "/v1": Dialect.OPENAI,
}
