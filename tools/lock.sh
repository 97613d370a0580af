#!/bin/sh
# Writes requirements-dev.lock and requirements.lock: exact versions with the hashes of their files.
#
# Both hold for every Python from 3.11 on and every machine (--universal), and name no package
# index. The runtime lock takes its versions from the development lock, so it is a part of it.
set -eu
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check uv

compile() {
    "$folder/venv/bin/uv" pip compile --quiet --universal --python-version 3.11 --upgrade \
        --generate-hashes --no-header --no-emit-index-url --no-emit-find-links "$@"
}

compile pyproject.toml --extra attribution --extra watch --group build --group dev --output-file requirements-dev.lock
grep -E '^[a-z0-9].*==' requirements-dev.lock | sed 's/ *[\\;].*//' >"$folder/versions"
compile pyproject.toml --extra attribution --group build --constraint "$folder/versions" --no-annotate --output-file requirements.lock
