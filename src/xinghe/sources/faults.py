"""What went wrong with a server that was asked, in words for the operator who has just named it."""

from __future__ import annotations

from xinghe.outbound import CallFailed, Refused, Silent, Unreachable
from xinghe.sources.source import SourceError

REASONS = {
    "ECONNREFUSED": "connection refused: nobody listens there",
    "EHOSTUNREACH": "no route to it",
    "ENETUNREACH": "its network cannot be reached",
    "gaierror": "its name is not known",
    "SSLCertVerificationError": "its certificate is not trusted",
    "SSLError": "it does not speak TLS there",
    "TimeoutError": "it did not take the connection in time",
    "ECONNRESET": "it broke the connection",
    "Closed": "it broke the connection",
}
"""By what the fault calls it."""
NO_KEY, NO_MODEL = {401, 403}, "model_not_found"
NOT_CHAT = (
    "does not support chat",
    "not a chat model",
    "chat completions api",
    "does not support generate",
    "chat template",
)
"""How servers say that a model makes something else than answers: Ollama, OpenAI, vLLM."""


UNSENDABLE = "its key has characters"


class KeyWanted(SourceError):
    """The server wants a key, or another one."""


def told(error: CallFailed, origin: str, model: str = "", key: str = "") -> SourceError:
    """The fault as a sentence about the server; `key` is what is taken out of its own words."""
    if isinstance(error, Refused):
        return _refused(error, origin, model, key)
    text = str(error)
    reason = next((said for name, said in REASONS.items() if name in text), "")
    if UNSENDABLE in text:
        return SourceError("the key has characters that no header can hold")
    if isinstance(error, Unreachable):
        return SourceError(f"{origin} cannot be reached: {reason or text}")
    if isinstance(error, Silent):
        return SourceError(f"{origin} takes the connection and does not answer")
    return SourceError(
        f"{origin} does not answer as an OpenAI-compatible server does: {reason or text}"
    )


def _refused(refused: Refused, origin: str, model: str, key: str) -> SourceError:
    words = own_words(refused, key)
    status = refused.status
    if status in NO_KEY:
        what = "refuses the key" if key else "wants a key"
        more = "" if key else "; --key-env NAME names a variable that holds it, --ask-key asks"
        return KeyWanted(f"{origin} {what} ({status}){words}{more}")
    said = words.lower()
    if refused.for_the_operator:
        text = f"refuses: {refused}{words}"
    elif refused.busy:
        text = f"is full for now ({status}){words}; try again later"
    elif any(sign in said for sign in NOT_CHAT):
        text = f"says that {model} is not a chat model ({status}){words}"
    elif model and (NO_MODEL in str(refused) or (status == 404 and "model" in said)):
        text = f"knows no model {model!r} ({status}){words}"
    elif 300 <= status < 400:
        text = f"redirects ({status}), which is not followed: name the URL that it leads to"
    elif status >= 500:
        text = f"fails by itself ({status}){words}"
    elif status == 404:
        text = f"has no such path (404): a base URL usually ends with /v1{words}"
    else:
        text = f"refuses a small request: {refused}{words}"
    return SourceError(f"{origin} {text}")


def own_words(refused: Refused, key: str) -> str:
    """What the server says, without a key that it may have repeated."""
    said = refused.said
    for secret in filter(None, (key, key[:8], key[-4:])) if len(key) >= 8 else filter(None, (key,)):
        said = said.replace(secret, "…")
    said = " ".join("".join(c if c.isprintable() else " " for c in said).split())
    return f": {said!r}" if said else ""
