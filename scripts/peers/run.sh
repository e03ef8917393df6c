#!/bin/sh
# scripts/peers/run.sh [options of peers.py] - outside programs measured beside kmv's own methods. Makes a virtual environment
# in build/peers-venv, installs what requirements.txt names (optional ones one by one; PEERS_LEAVE_OUT="torch ..." leaves
# some out), and runs peers.py in it. PEERS_VENV names another environment.
set -eu
here=$(dirname "$0")
venv=${PEERS_VENV:-$here/../../build/peers-venv}
if ! [ -x "$venv/bin/python" ] && ! python3 -m venv "$venv"; then
    echo "peers: want python3 with venv (on Debian and Ubuntu: apt-get install python3-venv)" >&2
    exit 2
fi
# What was asked of pip before with success is not asked again.
install() {
    grep -qxF "$*" "$venv/installed" 2>/dev/null && return
    echo "peers: installing $*" >&2
    # shellcheck disable=SC2086 # the words of a line
    "$venv/bin/python" -m pip install -q --disable-pip-version-check --prefer-binary $* && echo "$*" >>"$venv/installed"
}
optional=no
while read -r line; do
    case $line in
    '# optional'*) optional=yes ;;
    '' | '#'*) ;;
    *)
        case " ${PEERS_LEAVE_OUT:-} " in *" ${line%%==*} "*) continue ;; esac
        case $line in torch*) grep -qxF "$line" "$venv/installed" 2>/dev/null ||
            echo "peers: torch brings CUDA libraries, 5 GB on disk, which it needs even on a CPU; PEERS_LEAVE_OUT=torch leaves it out" >&2 ;;
        esac
        if ! install "$line"; then
            if [ $optional = no ]; then
                echo "peers: $line cannot be installed and is needed" >&2
                exit 2
            fi
            echo "peers: $line cannot be installed, its rows will be skipped" >&2
        fi
        ;;
    esac
done <"$here/requirements.txt"
exec "$venv/bin/python" "$here/peers.py" "$@"
