"""Moderation: a lexicon by category, the operator's lists, a model, and streaming answers."""

from xinghe.safety.judge import Place
from xinghe.safety.moderator import Moderator
from xinghe.safety.notice import notice
from xinghe.safety.reviewer import Reviewer
from xinghe.safety.stream import StreamScanner
from xinghe.safety.verdict import Verdict

__all__ = ["Moderator", "Place", "Reviewer", "StreamScanner", "Verdict", "notice"]
