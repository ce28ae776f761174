#!/usr/bin/env bash
# Runs the tests of the C++ core under AddressSanitizer with UndefinedBehaviorSanitizer, and under ThreadSanitizer.
#
#   tests/sanitize.sh [address,undefined | thread] ...
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q scikit-build-core nanobind ninja cmake numpy scipy scikit-learn safetensors rich \
  pytest pytest-xdist hypothesis
tests=(tests/kernels tests/connectivity tests/evolution tests/training tests/parallel tests/nn/fleet tests/nn/test_frozen.py
  tests/nn/layers tests/nn/test_tape.py tests/nn/test_tapes.py tests/nn/test_tile_pass.py tests/nn/test_soft_update.py
  tests/nn/test_soft_update_all.py tests/nn/test_unfreeze.py tests/rl/test_policy.py)
# The baseline and one set of wide vectors: all come from one source, and each takes minutes to compile with sanitizers.
isas=baseline
if grep -qw avx2 /proc/cpuinfo 2> /dev/null && grep -qw fma /proc/cpuinfo; then isas=avx2; fi
[ $# -gt 0 ] || set -- address,undefined thread
# ThreadSanitizer needs to know where memory lies: without address space randomisation where that may be had.
plain=()
if command -v setarch > /dev/null && setarch -R true 2> /dev/null; then plain=(setarch -R); fi
for sanitizers in "$@"; do
  echo "== $sanitizers"
  "$work/venv/bin/pip" install -q --no-build-isolation --no-deps --force-reinstall . \
    -C cmake.define.TS_SANITIZE="$sanitizers" -C cmake.define.TS_ISAS="$isas" -C build-dir="$work/build-$sanitizers"
  case $sanitizers in
    thread) runtime=libtsan.so unfit=forked ;;  # the sanitizer allows no threads in a forked child
    *) runtime=libasan.so unfit=nothing ;;
  esac
  # Python's own leaks are not ours, nor are races inside libraries that were not built for this.
  OPENBLAS_NUM_THREADS=1 ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 \
  TSAN_OPTIONS="ignore_noninstrumented_modules=1 halt_on_error=1" \
  LD_PRELOAD="$(c++ -print-file-name=$runtime) $(c++ -print-file-name=libstdc++.so)" \
    "${plain[@]}" "$work/venv/bin/python" -m pytest -p no:cacheprovider -n "$(nproc)" -k "not $unfit" "${tests[@]}"
done
