#!/bin/sh
# Makes `headers.tar.xz` out of two packages of Debian, given as files, the same bits each time:
#   apt-get download libpython3.14-dev libpython3.14-minimal wasi-libc
#   sdk/headers/make.sh libpython3.14-dev_*.deb libpython3.14-minimal_*.deb wasi-libc_*.deb
set -eu
target=$(dirname "$0")/headers.tar.xz
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for package; do dpkg-deb --extract "$package" "$work/packages"; done
from=$work/packages/usr
mkdir -p "$work/headers/include" "$work/headers/licenses"
cp -r "$from/include/python3.14" "$from/include/wasm32-wasip2" "$work/headers/include"
# Debian has a file that chooses among those of its machines.
cp "$from/include/x86_64-linux-gnu/python3.14/pyconfig.h" "$work/headers/include/python3.14/"
cp "$from/share/doc/libpython3.14-minimal/copyright" "$work/headers/licenses/cpython"
cp "$from/share/doc/wasi-libc/copyright" "$work/headers/licenses/wasi-libc"
tar --create --directory "$work/headers" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner \
    --mode=u=rwX,go=rX --format=ustar include licenses | xz -9e --threads=1 > "$target"
sha256sum "$target"
