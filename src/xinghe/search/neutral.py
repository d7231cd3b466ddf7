"""Text of strangers, made harmless before a model reads it.

No filter can tell every instruction from every fact. What is certain is done by force: nothing in
the text can end its place in the prompt or open a turn of the conversation. What merely looks
like an order to a model is taken out sentence by sentence; the prompt says the rest.
"""

from __future__ import annotations

import re
import unicodedata

_TOKEN = re.compile(
    r"<[|｜][^<>|｜\n]{0,60}[|｜]>|</?(?:s|bos|eos|unk|pad|think|tool_call|(?:start|end)_of_turn)>"
    r"|<</?SYS>>|\[/?[a-z]?[A-Z_]{3,20}\]"
)
"""The control tokens of the chat templates in use: they say nothing."""
_CONTROL = re.compile(r"<(?=/?[A-Za-z_][\w:|.-]{0,40}>|[|｜/]|<)|\[(?=/?[a-z]?[A-Z_]{3,20}\])")
"""Where one could still begin, be it put together by what was taken out or of an unknown kind."""
_MARK = re.compile(
    r"(?<![\w\])])\^?\[\^?\d{1,3}\^?\]\^?"
    r"|(?<=[\u3400-\u9fff])\^?\[\d{1,3}\]\^?"
    r"|\^\[\d{1,3}\]\^"
)
"""A citation of the text's own sources: they are not ours."""
_SENTENCE = re.compile(r"(?:[^。!?!?\n.]|\.(?!\s))*(?:[。!?!?]+|\.(?=\s)|\n|$)")
_ORDER = re.compile(
    r"(ignore|disregard|forget|override|bypass)\b.{0,40}\b(instruction|prompt|previous|above|prior"
    r"|rule|context|guideline|everything)"
    r"|\bsystem prompts?\b"
    r"|\byou (are now|must now|have to now|will now|are no longer)\b"
    r"|\b(as an ai|language model|assistant)\b.{0,40}\b(must|should|shall|has to|reply|respond|say"
    r"|output)\b"
    r"|\b(reply|respond|answer|output|print|say|write) (only|exactly|just|nothing (but|else)"
    r"|with (only|just|exactly|the (word|following|text|string))|the word)\b"
    r"|\bnew instructions?\b|\bjailbreak"
    r"|^\W*(please |now |just )*(say|print|output|repeat|reply|respond)\b"
    r"|(^|\s)(assistant|human)\s?[::]|^\W*(user|system|助手|用户|系统)\s?[::]"
    r"|(忽略|无视|忘记|忘掉|不要理会|不要遵守|抛开|覆盖).{0,20}(指令|指示|提示|要求|规则|设定|之前|以上|上面|前面|上述)"
    r"|系统(提示词?|指令)"
    r"|(你现在(是|必须|要)|从现在(开始|起))"
    r"|(只|仅)(能|需|要|可以)?(回答|回复|输出)"
    r"|(请|必须|务必|应当)(直接|立即|马上|只)?(回答|回复|输出|复述|说出)"
    r"|新的?指令",
    re.IGNORECASE,
)
OMITTED = "[略]"
"""Stands where a sentence was taken out."""


def neutral(text: str) -> str:
    """The text without what could act on a model or pass for our own marks."""
    text = unicodedata.normalize("NFC", text)
    # Invisible characters hide words from the reader and from the patterns below.
    text = "".join(
        char for char in text if char in "\n\t" or unicodedata.category(char) not in _INVISIBLE
    )
    text = _SENTENCE.sub(_without_order, text)
    text = _MARK.sub("", text)
    return _CONTROL.sub(lambda found: found[0] + " ", _TOKEN.sub(" ", text))


_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def _without_order(sentence: re.Match[str]) -> str:
    found = sentence[0]
    if not _ORDER.search(unicodedata.normalize("NFKC", found)):
        return found
    return OMITTED + ("\n" if found.endswith("\n") else "")
