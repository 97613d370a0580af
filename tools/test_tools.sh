#!/bin/sh
# Programs that some tests need: a Chromium for the pages, strace to see that fsync is called.
# They are installed where root may; else the tests that need them are skipped, and here we say so.
set -eu
cd "$(dirname "$0")/.."
. tools/debian.sh

# need PURPOSE PACKAGE PROGRAM...: one of the programs must be there.
need() {
    purpose=$1
    package=$2
    shift 2
    for program in "$@"; do
        command -v "$program" >/dev/null 2>&1 && return
    done
    if may_install && apt_install "$package"; then
        return
    fi
    echo "setup: $package is missing, so $purpose will be skipped. To run them: sudo apt-get install $package" >&2
}

need "tests of the pages in a browser" chromium chromium chromium-browser google-chrome
need "tests that watch the disk being synced" strace strace
