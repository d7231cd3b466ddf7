"""Moderation: a lexicon by category, the operator's lists, and answers while they stream."""

from xinghe.safety.moderator import Moderator
from xinghe.safety.stream import StreamScanner
from xinghe.safety.verdict import Verdict

__all__ = ["Moderator", "StreamScanner", "Verdict"]
