#!/bin/sh
# scripts/peers/run.sh [options of peers.py] - outside programs measured beside kmv's own methods. Makes a
# virtual environment in build/peers-venv (PEERS_VENV names another), installs what requirements.txt names,
# optional packages one by one (PEERS_LEAVE_OUT="torch ..." leaves some out), and runs peers.py in it.
set -eu
here=$(dirname "$0")
venv=${PEERS_VENV:-$here/../../build/peers-venv}
if ! [ -x "$venv/bin/python" ] && ! python3 -m venv "$venv"; then
    echo "peers: want python3 with venv (on Debian and Ubuntu: apt-get install python3-venv)" >&2
    exit 2
fi
wanted=$here/requirements.txt
# What pip has done before is not asked again; no package moves another away from its line.
install() {
    grep -qxF "$1" "$venv/installed" 2>/dev/null && return
    echo "peers: installing $1" >&2
    "$venv/bin/python" -m pip install -q --disable-pip-version-check --prefer-binary -c "$wanted" "$1" || return
    echo "$1" >>"$venv/installed"
}
optional=no
while read -r line; do
    case $line in
    '# optional'*) optional=yes ;;
    '' | '#'*) ;;
    *)
        case " ${PEERS_LEAVE_OUT:-} " in *" ${line%%==*} "*) continue ;; esac
        if [ "${line%%==*}" = torch ] && ! grep -qxF "$line" "$venv/installed"; then
            echo "peers: torch brings 5 GB with the CUDA libraries that it needs even on a CPU;" \
                "PEERS_LEAVE_OUT=torch leaves it out" >&2
        fi
        if ! install "$line"; then
            if [ $optional = no ]; then
                echo "peers: $line cannot be installed and is needed" >&2
                exit 2
            fi
            echo "peers: $line cannot be installed, its rows will be skipped" >&2
        fi
        ;;
    esac
done <"$wanted"
exec "$venv/bin/python" "$here/peers.py" "$@"
