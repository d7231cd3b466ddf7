"""星河大模型API: the documented OpenAI-compatible model service as software that anyone can run."""

from xinghe.untracked import stay_untracked

stay_untracked()

__version__ = "0.1.0"
