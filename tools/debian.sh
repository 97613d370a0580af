# shellcheck shell=sh
# Sourced by the other scripts here: Debian's and Ubuntu's packages.

# True where packages can be installed without asking anybody.
may_install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1
}

# apt_install PACKAGE...: installs them; false where that did not work. What apt-get says goes to stderr.
apt_install() {
    echo "setup: installing $* with apt-get" >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1 && return 0
    # The package lists may be missing or old: fetch them and try once more, aloud.
    apt-get update -qq >&2 && apt-get install -y -qq --no-install-recommends "$@" >&2
}
