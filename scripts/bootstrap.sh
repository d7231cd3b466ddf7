#!/bin/sh
# Makes the virtual environment from a lock file. Usage: bootstrap.sh PYTHON VENV LOCK
set -eu
python=$1 venv=$2 lock=$3

# Said first: even an empty environment takes seconds.
echo "installing into $venv ..." >&2
# An environment without pip is one whose making was interrupted, or whose Python was replaced.
"$venv/bin/python" -c 'import pip' 2>/dev/null || "$python" -m venv --clear "$venv"

# On a terminal pip shows how far it is; elsewhere its list of packages would only be noise.
quiet=--quiet
[ ! -t 1 ] || quiet=
install() {
    "$venv/bin/python" -m pip install $quiet --disable-pip-version-check "$@"
}

# What is locked. pip alone serves whoever runs the service; the developers' lock has uv, which
# takes an eighth of the time and compiles nothing that is never imported.
locked() {
    uv=$(sed -n '/^uv==/,/[^\\]$/p' "$lock")
    [ -n "$uv" ] || { install --require-hashes -r "$lock"; return; }
    echo "$uv" > "$venv/uv.lock"
    install --require-hashes -r "$venv/uv.lock"
    "$venv/bin/uv" pip install $quiet --python "$venv" --require-hashes -r "$lock"
}

if ! { locked && install --no-deps --no-build-isolation -e .; }; then
    echo "The installation did not finish; the same command goes on from here." >&2
    echo "Without a direct network: export HTTPS_PROXY=URL, or PIP_INDEX_URL=URL for a mirror." >&2
    exit 1
fi
