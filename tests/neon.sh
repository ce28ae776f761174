#!/usr/bin/env bash
# Runs the kernel tests on AArch64 code (NEON), cross-compiled and under user-mode emulation. For Debian, as root:
# it installs the cross compiler and the emulator, and takes an arm64 Python from Debian and arm64 wheels from PyPI.
# About three minutes on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root site=$work/site
mkdir -p "$root" "$site" "$work/debs" "$work/obj"

dpkg --add-architecture arm64
apt-get update -q > /dev/null
apt-get install -y -q g++-aarch64-linux-gnu qemu-user-static > /dev/null
packages=(python3.11 python3.11-minimal libpython3.11-minimal libpython3.11-stdlib libc6 libgcc-s1 libstdc++6
  zlib1g libexpat1 libffi8 libssl3 libbz2-1.0 liblzma5 libsqlite3-0 libuuid1 libncursesw6 libtinfo6 libreadline8 libdb5.3
  libnsl2 libtirpc3 libcrypt1)
(cd "$work/debs" && apt-get download -q "${packages[@]/%/:arm64}" > /dev/null 2>&1)
for package in "$work"/debs/*.deb; do dpkg -x "$package" "$root"; done

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q nanobind
platforms=(--platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 --platform manylinux_2_17_aarch64
  --platform manylinux2014_aarch64)
"$work/venv/bin/pip" download -q --only-binary=:all: --python-version 3.11 --implementation cp "${platforms[@]}" \
  -d "$work/wheels" numpy scipy scikit-learn safetensors rich pytest hypothesis
for wheel in "$work"/wheels/*.whl; do python3 -m zipfile -e "$wheel" "$site"; done

nanobind=$("$work/venv/bin/python" -c 'import nanobind, os; print(os.path.dirname(nanobind.include_dir()))')
headers=$(python3 -c 'import sysconfig; print(sysconfig.get_paths()["include"])')
flags=(-std=gnu++20 -O2 -fPIC -pthread -fvisibility=hidden -fno-strict-aliasing -Wno-psabi -fno-math-errno
  -fno-trapping-math -ffp-contract=fast -DTS_ISA=baseline -DNDEBUG -Ikernels "-I$headers" "-I$nanobind/include"
  "-I$nanobind/ext/robin_map/include")
{ find kernels -name '*.cpp'; echo "$nanobind/src/nb_combined.cpp"; } |
  xargs -P "$(nproc)" -I {} sh -c 'aarch64-linux-gnu-g++ "$@" -c {} -o "$0/$(echo {} | tr / _).o"' "$work/obj" "${flags[@]}"
cp -r src/trulysparse "$site/"
rm -f "$site"/trulysparse/_kernels*.so
aarch64-linux-gnu-g++ -shared -pthread "$work"/obj/*.o -o "$site/trulysparse/_kernels.cpython-311-aarch64-linux-gnu.so"

# The emulator starts no further processes of its own kind.
OPENBLAS_NUM_THREADS=1 qemu-aarch64-static -L "$root" -E PYTHONPATH="$site" "$root/usr/bin/python3.11" \
  -m pytest -p no:cacheprovider -k 'not end_the_process' tests/kernels tests/connectivity tests/evolution tests/nn/test_frozen.py
