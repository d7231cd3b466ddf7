"""星河大模型API: the documented OpenAI-compatible model service as software that anyone can run."""

__version__ = "0.1.0"
