"""Ends with 0 where the service beside it is ready (`/readyz`): what a container's health is."""

import os
import sys
import urllib.error
import urllib.request

port = os.environ.get("XINGHE_SERVER__PORT") or "8000"
try:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
        print(answer.read().decode())
except urllib.error.HTTPError as refused:
    sys.exit(refused.read().decode())
except OSError as error:
    sys.exit(str(error))
