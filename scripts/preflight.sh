#!/bin/sh
# Says what an installation lacks, before anything is downloaded; needs neither make nor a network.
# Usage: [PYTHON=python3.12] sh scripts/preflight.sh [the options of `xinghe serve`]
set -eu
python=${PYTHON:-python3}
if ! command -v "$python" >/dev/null 2>&1; then
    echo "fail  python       there is no $python here" >&2
    if command -v apt-get >/dev/null 2>&1; then
        echo "                   -> apt-get install -y python3 python3-venv libgomp1   (as root)" >&2
    else
        echo "                   -> install Python 3.11 or newer" >&2
    fi
    exit 1
fi
exec "$python" "$(dirname "$0")/../src/xinghe/doctor" --preflight "$@"
