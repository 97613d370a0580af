#!/bin/sh
# setup.sh run|dev: makes .venv from the lock files: what Kulla needs to run, or also to be tested.
#
# Every package must have one of the hashes in the lock file and come ready built, so nothing is
# compiled and no build tool is fetched behind our back. Done work is remembered in stamp files
# inside .venv, so a second call with nothing changed takes no time.
set -eu
cd "$(dirname "$0")/.."
. tools/debian.sh

kind=${1:-dev}
case $kind in
run) lock=requirements.lock ;;
dev) lock=requirements-dev.lock ;;
*)
    echo "setup: say 'run' or 'dev', not '$kind'." >&2
    exit 2
    ;;
esac

stop() {
    echo "setup: $1" >&2
    exit 1
}

# The first Python that runs and is new enough, as a path; nothing where there is none.
find_python() {
    for name in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.14}; do
        path=$(command -v "$name" 2>/dev/null) || continue
        if "$path" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$path"
            return
        fi
    done
}

choose_python() {
    python=$(find_python)
    if [ -z "$python" ] && [ -z "${PYTHON:-}" ] && may_install; then
        apt_install python3 || true
        python=$(find_python)
    fi
    [ -n "$python" ] || [ -z "${PYTHON:-}" ] || stop "PYTHON=$PYTHON does not run, or is older than Python 3.11."
    [ -n "$python" ] || stop "found no Python 3.11 or newer. Install one (on Debian 12 or newer, Ubuntu 24.04 or newer: apt-get install python3 python3-venv) or name it: make setup PYTHON=/path/to/python3"
}

# Debian and Ubuntu keep the parts of Python that make an environment in a package of their own.
ensure_venv() {
    can_make='import ensurepip, venv'
    "$python" -c "$can_make" 2>/dev/null && return
    package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    if may_install && apt_install "$package" && "$python" -c "$can_make" 2>/dev/null; then
        return
    fi
    stop "$python can't make environments: its modules venv and ensurepip are missing. On Debian and Ubuntu type: sudo apt-get update && sudo apt-get install $package; then the same make command again."
}

make_venv() {
    choose_python
    ensure_venv
    echo "setup: making .venv with $python ($("$python" -V 2>&1))"
    rm -rf .venv
    "$python" -m venv .venv
    pwd >.venv/.made-in
}

# True where .venv works, was made in this folder (its scripts name it) and for the asked Python.
venv_is_good() {
    [ -x .venv/bin/python ] || return 1
    .venv/bin/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || return 1
    [ ! -f .venv/.made-in ] || [ "$(cat .venv/.made-in)" = "$(pwd)" ] || return 1
    [ -z "${PYTHON:-}" ] || [ "$("$PYTHON" -V 2>&1)" = "$(.venv/bin/python -V 2>&1)" ]
}

hash_of() {
    cat "$@" | sha256sum | cut -c 1-64
}

stamped() {
    [ -f ".venv/.$1" ] && [ "$(cat ".venv/.$1")" = "$2" ]
}

pip_install() {
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input "$@" ||
        stop "pip could not install what $lock lists; its message stands above. Mend what it speaks of (the connection, the disk, a file that is not the one that was tested) and type the same command again."
}

install_locked() {
    want=$(hash_of "$lock")
    stamped "$kind" "$want" && return
    echo "setup: installing what $lock lists"
    pip_install --require-hashes --only-binary=:all: --no-deps -r "$lock"
    .venv/bin/python -m pip check >/dev/null || stop "$lock is not complete: $(.venv/bin/python -m pip check 2>&1 | head -n 3)"
    echo "$want" >".venv/.$kind"
    # The runtime lock is a part of the development lock, with the same versions.
    [ "$kind" = run ] || hash_of requirements.lock >.venv/.run
}

install_kulla() {
    want=$(hash_of pyproject.toml)
    stamped kulla "$want" && return
    pip_install --no-build-isolation --no-deps --editable .
    echo "$want" >.venv/.kulla
}

venv_is_good || make_venv
install_locked
install_kulla
