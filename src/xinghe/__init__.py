"""星河大模型API: the documented OpenAI-compatible model service as software that anyone can run."""

import os

__version__ = "0.1.0"

# No library that we load reports to its maker or leaves a mark of this machine behind. Each reads
# its variable when it is loaded, so they are set before anything else of this package: here, which
# every process of ours runs first, whoever started it and from where. Children inherit them.
os.environ.update(
    {
        # onnxruntime: since 1.29 it sends what it runs to its maker, and keeps a device id and a
        # database under the home directory. Read once, when the library is loaded.
        "ORT_DISABLE_TELEMETRY": "1",
        # huggingface_hub and those above it: a call of huggingface.co, whatever the endpoint is.
        "HF_HUB_DISABLE_TELEMETRY": "1",
        # Whatever else keeps to the convention of donottrack.sh.
        "DO_NOT_TRACK": "1",
    }
)
