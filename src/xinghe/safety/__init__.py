"""Moderation: a lexicon by category, the operator's lists, a model, and streaming answers."""

from xinghe.safety.matcher import StreamScanner
from xinghe.safety.moderator import Moderator
from xinghe.safety.reviewer import Reviewer
from xinghe.safety.verdict import Place, Verdict, notice
