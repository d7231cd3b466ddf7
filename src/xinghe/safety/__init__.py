"""Moderation: a lexicon by category, the operator's lists, a model, and streaming answers."""

from xinghe.safety.moderator import Moderator
from xinghe.safety.stream import Reviewer, StreamScanner
from xinghe.safety.verdict import Place, Verdict, notice
