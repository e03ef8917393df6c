#!/bin/sh
# Install what kmv needs and this machine lacks (Debian, Ubuntu and what derives from them).
#   scripts/setup.sh           install what is missing; says what, and that nothing is missing
#   scripts/setup.sh --quiet   the same, and silent when nothing is missing
#   scripts/setup.sh --check   install nothing; list the missing packages, exit 1 if there are any
#   scripts/setup.sh --tests   (with any of these) what only the tests need, too
#   scripts/setup.sh --emulated (with any of these) what only `make test-emulated` needs, too
#   scripts/setup.sh --data    (with any of these) what only `make data` needs, too
# What is there is found by looking for the programs and files themselves, not by asking the
# package manager: the Makefile calls this script each time, so that it has to be quick, and a
# library from elsewhere counts as well.
set -u

mode=install quiet= tests= emulated= data=
for word in "$@"; do
    case $word in
    --check) mode=check ;;
    --quiet) quiet=yes ;;
    --tests) tests=yes ;;
    --emulated) emulated=yes ;;
    --data) data=yes ;;
    -h | --help)
        sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
    *)
        echo "setup.sh: unknown option '$word', want --quiet, --check, --tests, --emulated or --data" >&2
        exit 2
        ;;
    esac
done

missing=
need() { # need PACKAGE: one more package is missing
    missing="$missing $1"
}
program() { # program NAME PACKAGE
    command -v "$1" >/dev/null 2>&1 || need "$2"
}
header() { # header FILE PACKAGE: where compilers look
    for folder in /usr/include /usr/include/*-linux-gnu* /usr/local/include; do
        if [ -e "$folder/$1" ]; then return; fi
    done
    need "$2"
}

# Another compiler asked for by CC is the caller's to bring.
if [ "${CC:-gcc}" = gcc ]; then program gcc gcc; fi
# A compiler without the C library's headers compiles nothing; gcc only recommends them.
header stdio.h libc6-dev
program make make
program pkg-config pkg-config
# One call for all modules is the quick way; which of them is missing is asked only when it fails.
if ! pkg-config --exists hdf5-serial gsl openblas inih nettle libcjson 2>/dev/null; then
    # The OpenMP flavour: Debian's serial one is not safe to call from several threads at once.
    for pair in hdf5-serial=libhdf5-dev gsl=libgsl-dev openblas=libopenblas-openmp-dev \
        inih=libinih-dev nettle=nettle-dev libcjson=libcjson-dev; do
        pkg-config --exists "${pair%=*}" 2>/dev/null || need "${pair#*=}"
    done
fi
if [ -n "$tests" ]; then
    header cmocka.h libcmocka-dev
    # Results have to be readable from Python, and the README's example has to run.
    [ -e /usr/lib/python3/dist-packages/h5py ] || python3 -c 'import h5py, numpy' 2>/dev/null ||
        need python3-h5py
fi
if [ -n "$emulated" ]; then header simde/x86/avx512.h libsimde-dev; fi
if [ -n "$data" ]; then
    # Debian's Python makes virtual environments only with this package.
    python3 -c 'import ensurepip, venv' 2>/dev/null || need python3-venv
fi
program gnuplot gnuplot-nox
# Fonts with fixed names: figures then look alike on every machine.
[ -e /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf ] || need fonts-dejavu-core

missing=${missing# }
if [ -z "$missing" ]; then
    if [ -z "$quiet" ]; then echo "setup.sh: nothing is missing"; fi
    exit 0
fi
if [ "$mode" = check ]; then
    echo "$missing"
    exit 1
fi

stop() { # stop WHY: nothing can be installed from here
    echo "setup.sh: $1; please install: $missing" >&2
    exit 1
}
command -v apt-get >/dev/null 2>&1 || stop "this is not Debian or Ubuntu (names of packages differ)"
as_root=
if [ "$(id -u)" -ne 0 ]; then
    # -n: never wait for a password in the middle of a build.
    sudo -n true 2>/dev/null || stop "want root, or sudo without a password (or run: sudo $0)"
    as_root=sudo
fi
echo "setup.sh: installing with apt-get: $missing" >&2
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
quietly() { # quietly COMMAND...: as root; what it says is shown only when it fails
    # shellcheck disable=SC2086 # empty, or one word
    $as_root env DEBIAN_FRONTEND=noninteractive "$@" >"$log" 2>&1 </dev/null || {
        cat "$log" >&2
        return 1
    }
}
quietly apt-get update -q || echo "setup.sh: apt-get update failed, going on with the old lists" >&2
# shellcheck disable=SC2086 # the names are words
quietly apt-get install -y -q --no-install-recommends $missing ||
    stop "apt-get could not install all of it"
