#!/usr/bin/env bash
# Installs what `make run` (argument "run") or `make test` (argument "test") needs and is not there:
# Debian packages, a virtual environment in .venv, the Python packages of constraints.txt.
# A second call finds a stamp in the environment and returns at once.
#
#   PYTHON=python3.12   the Python to build the environment with (3.11 to 3.13)
#   VENV=FOLDER         the environment, .venv unless given
set -euo pipefail

export PATH="${PATH:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}"
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
readonly kind="${1:-run}"
readonly venv="${VENV:-.venv}"
unset PYTHONHOME PYTHONPATH VIRTUAL_ENV PIP_USER  # another environment is not ours to use or change

say() { printf 'pythia-gui: %s\n' "$*" >&2; }

# ---------------------------------------------------------------------------- Debian packages

package_lists() {
    printf 'packaging/debian-packages.txt\n'
    if [[ $kind == test ]]; then printf 'packaging/debian-packages-test.txt\n'; fi
}

missing_packages() {
    command -v dpkg-query >/dev/null || return 0
    local wanted installed name
    mapfile -t wanted < <(package_lists | xargs grep -hv -e '^#' -e '^$')
    # one call for all names; it fails where one is unknown, which is an answer as well
    installed=" $(dpkg-query -W -f '${db:Status-Status}:${Package} ' "${wanted[@]}" \
        "${wanted[@]/%/t64}" 2>/dev/null || true)"
    for name in "${wanted[@]}"; do
        if [[ $name == python3-venv ]] && has_python; then continue; fi
        if [[ $installed != *" installed:$name "* && $installed != *" installed:${name}t64 "* ]]; then
            printf '%s\n' "$name"
        fi
    done
}

as_root() {
    if [[ $EUID -eq 0 ]]; then "$@"; else sudo -n "$@"; fi
}

may_use_apt() {
    command -v apt-get >/dev/null || return 1
    [[ $EUID -eq 0 ]] || { command -v sudo >/dev/null && sudo -n true 2>/dev/null; }
}

apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 \
        install --no-install-recommends "$@" >&2
}

name_packages() {
    if [[ $# -gt 0 ]]; then say "these Debian packages are missing: sudo apt-get install $*"; fi
}

install_packages() {
    [[ $# -gt 0 ]] || return 0
    if may_use_apt; then
        say "installing Debian packages: $*"
        apt_install "$@" && return 0
        # no package lists yet, or lists older than the mirror
        as_root apt-get -q update >&2 && apt_install "$@" && return 0
    fi
    name_packages "$@"
}

# ---------------------------------------------------------------------------- Python

is_usable() {
    "$1" -I -c 'import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
        >/dev/null 2>&1
}

find_python() {
    local name
    for name in ${PYTHON:-python3 python3.13 python3.12 python3.11 /usr/bin/python3}; do
        if command -v "$name" >/dev/null && is_usable "$name"; then
            command -v "$name"
            return 0
        fi
    done
    return 1
}

has_python() {
    [[ -x $venv/bin/python ]] || find_python >/dev/null
}

make_environment() {
    if [[ -x $venv/bin/python ]] && is_usable "$venv/bin/python"; then return 0; fi
    local python
    if ! python="$(find_python)"; then
        say "no Python 3.11, 3.12 or 3.13 with its venv module was found: install python3 and" \
            "python3-venv, or name one with PYTHON=..."
        exit 1
    fi
    say "making a virtual environment in $venv with $python"
    "$python" -m venv --clear "$venv"
}

pip_install() {
    "$venv/bin/python" -m pip --disable-pip-version-check install -c constraints.txt "$@" >&2
}

install_python_packages() {
    local target=.
    if [[ $kind == test ]]; then target='.[test]'; fi
    say "installing Python packages; the first time takes some minutes"
    # torch by itself and first: the constraint alone decides which build of it is fetched
    pip_install torch
    pip_install hatchling
    pip_install --no-build-isolation -e "$target"
}

# ---------------------------------------------------------------------------- the stamp

wanted_state() {
    # the path, since an environment that was moved with its checkout must be linked again
    { printf '%s\n' "$PWD"; cat pyproject.toml constraints.txt packaging/debian-packages*.txt; } |
        sha256sum
}

is_current() {
    [[ -x $venv/bin/python ]] || return 1
    local stamp
    for stamp in "$venv/.installed-test" "$venv/.installed-$kind"; do
        if [[ -f $stamp && "$(<"$stamp")" == "$state" ]]; then return 0; fi
    done
    return 1
}

if command -v flock >/dev/null; then
    exec 9<packaging/install.sh
    flock 9  # two calls at once would write into one environment
fi
state="$(wanted_state)"
mapfile -t missing < <(missing_packages)
if is_current; then
    name_packages "${missing[@]}"  # tried once already: a start does not wait for apt again
    exit 0
fi
install_packages "${missing[@]}"
make_environment
install_python_packages
printf '%s\n' "$state" > "$venv/.installed-$kind"
