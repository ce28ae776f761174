"""C compiled and run on this machine: strict warnings and sanitizers, or a shared library for comparisons of bits.

A program of one's own:

    program = build(tmp_path, {"main.c": text})  # or paths; #include "ts_net.h" finds the runtime
    out = np.frombuffer(program.run(X, "argument"), np.float32)  # X as float32 on standard input

Exported networks, as many as wanted in one compilation:

    nets = [Exported(path, "first", n_inputs=64, n_outputs=10), Exported(other, "second", 4, 1, n_actions=1)]
    answers = run_networks(tmp_path, nets, [X1, X2])  # sanitized; answers[0].scores, .predictions, .actions
    answers = load_networks(tmp_path, nets, ["-O3", "-march=native"])([X1, X2])  # a shared library instead

Both skip with a reason where there is no C compiler (the environment variable CC names another than cc) or no runtime
of the sanitizers.
"""

from __future__ import annotations

import ctypes
import functools
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import trulysparse

RUNTIME = Path(trulysparse.__file__).parent / "export" / "c_runtime"
STRICT = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-Wdouble-promotion", "-Wconversion")
STRICT += ("-Wno-sign-conversion", "-Wshadow")
# A float that no integer holds is undefined behaviour too, which -fsanitize=undefined leaves out.
SANITIZE = ("-fsanitize=address,undefined", "-fsanitize=float-cast-overflow", "-fno-sanitize-recover=all")

Sources = Mapping[str, str] | Sequence[Path]


@dataclass(frozen=True)
class Exported:
    """A C file that holds a network, or a policy of n_actions numbers, whose functions begin with `name`."""

    path: Path
    name: str
    n_inputs: int
    n_outputs: int
    n_actions: int = 0


@dataclass(frozen=True)
class Answers:
    """What a network says of n samples: scores (n, n_outputs), predictions (n,), actions (n, n_actions)."""

    scores: np.ndarray
    predictions: np.ndarray
    actions: np.ndarray


@dataclass(frozen=True)
class Program:
    """A compiled program."""

    path: Path

    def run(self, stdin: np.ndarray | bytes = b"", *arguments: object, timeout: float = 120) -> bytes:
        """Its standard output. An array goes in as float32. Fails where the program does, and shows what it said."""
        given = stdin if isinstance(stdin, bytes) else np.ascontiguousarray(stdin, np.float32).tobytes()
        environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
        environment["ASAN_OPTIONS"] = "detect_leaks=0"  # nothing allocates, and it refuses to work beside a debugger
        call = [str(self.path), *map(str, arguments)]
        done = subprocess.run(call, input=given, capture_output=True, env=environment, timeout=timeout, check=False)
        assert done.returncode == 0, f"exit code {done.returncode}\n{done.stderr.decode(errors='replace')[-4000:]}"
        return done.stdout


@functools.cache
def compiler() -> tuple[str, ...]:
    """The command of the C compiler."""
    command = tuple(shlex.split(os.environ.get("CC", "cc")))
    return command if command and shutil.which(command[0]) else ()


@functools.cache
def sanitizers() -> bool:
    """Whether a sanitized program can be linked and run."""
    with tempfile.TemporaryDirectory() as folder:
        source, program = Path(folder) / "main.c", Path(folder) / "main"
        source.write_text("int main(void) { return 0; }\n")
        command = [*compiler(), *SANITIZE, str(source), "-o", str(program)]
        made = subprocess.run(command, capture_output=True, check=False).returncode == 0
        return made and subprocess.run([str(program)], capture_output=True, check=False).returncode == 0


def build(
    folder: Path, sources: Sources, flags: Sequence[str] = ("-O1",), *, sanitize: bool = True, name: str = "program"
) -> Program:
    """Compiles sources (names and texts, or paths) to one program, with every warning an error.

    Args:
        folder: where it is written; also searched for what the sources include.
        sources: files by name, of which the headers are written only; or paths.
        flags: after the strict ones, which they may take back.
        sanitize: with the sanitizers of addresses and undefined behaviour.
        name: the program's file name.
    """
    _needs(sanitize)
    program = folder / name
    _compile(folder, sources, [*STRICT, *(SANITIZE if sanitize else ()), *flags], program)
    return Program(program)


def library(folder: Path, sources: Sources, flags: Sequence[str] = ("-O2",), name: str = "shared") -> ctypes.CDLL:
    """Compiles sources to a shared library without sanitizers, and loads it."""
    _needs(False)
    path = folder / f"{name}.so"
    _compile(folder, sources, [*STRICT, "-shared", "-fPIC", *flags], path)
    return ctypes.CDLL(str(path))


def run_networks(
    folder: Path,
    networks: Sequence[Exported],
    samples: Sequence[np.ndarray],
    flags: Sequence[str] = ("-O1",),
    *,
    sanitize: bool = True,
) -> list[Answers]:
    """The answers of all networks to their samples, from one program."""
    main = folder / "networks_main.c"
    main.write_text(_calls(networks) + _MAIN)
    program = build(folder, [main, *(each.path for each in networks)], flags, sanitize=sanitize, name="networks")
    given = [np.uint32(len(X)).tobytes() + _rows(X, net).tobytes() for net, X in zip(networks, samples, strict=True)]
    out = program.run(b"".join(given))
    answers, at = [], 0
    for net, X in zip(networks, samples, strict=True):
        one = _empty(net, len(X))
        for array in (one.scores, one.predictions, one.actions):
            array[...] = np.frombuffer(out, array.dtype, array.size, at).reshape(array.shape)
            at += array.nbytes
        answers.append(one)
    assert at == len(out)
    return answers


def load_networks(
    folder: Path, networks: Sequence[Exported], flags: Sequence[str] = ("-O2",), name: str = "networks"
) -> Callable[[Sequence[np.ndarray]], list[Answers]]:
    """Many networks in a shared library without sanitizers: a function from their samples to their answers."""
    calls = folder / f"{name}_calls.c"
    calls.write_text(_calls(networks))
    loaded = library(folder, [calls, *(each.path for each in networks)], flags, name)

    def answers_to(samples: Sequence[np.ndarray]) -> list[Answers]:
        answers = []
        for number, (net, X) in enumerate(zip(networks, samples, strict=True)):
            one, rows = _empty(net, len(X)), _rows(X, net)
            pointers = [ctypes.c_void_p(each.ctypes.data) for each in (rows, one.scores, one.predictions, one.actions)]
            loaded.host_answers(ctypes.c_size_t(number), ctypes.c_size_t(len(rows)), *pointers)
            answers.append(one)
        return answers

    return answers_to


def _needs(sanitize: bool) -> None:
    if not compiler():
        pytest.skip(f"needs a C compiler: there is no {os.environ.get('CC', 'cc')} (CC names another)")
    if sanitize and not sanitizers():
        pytest.skip(f"{compiler()[0]} has no runtime of the sanitizers of addresses and undefined behaviour")


def _compile(folder: Path, sources: Sources, flags: Sequence[str], out: Path) -> None:
    if isinstance(sources, Mapping):
        paths = [folder / name for name in sources]
        for path in paths:
            path.write_text(sources[path.name])
    else:
        paths = list(sources)
    files = [str(path) for path in paths if path.suffix != ".h"]
    command = [*compiler(), *flags, f"-I{folder}", f"-I{RUNTIME}", *files, "-o", str(out), "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stderr[:4000]}"


def _rows(X: np.ndarray, net: Exported) -> np.ndarray:
    rows = np.ascontiguousarray(X, np.float32)
    assert rows.ndim == 2
    assert rows.shape[1] == net.n_inputs, f"{net.name} has {net.n_inputs} inputs, samples {rows.shape[1]}"
    return rows


def _empty(net: Exported, n: int) -> Answers:
    shapes = (n, net.n_outputs), (n,), (n, net.n_actions)
    return Answers(*(np.empty(shape, kind) for shape, kind in zip(shapes, ("f4", "i4", "f4"), strict=True)))


def _calls(networks: Sequence[Exported]) -> str:
    """C: `host_answers`, which calls the functions of network `number` for n samples.

    A sample, its scores and its action have memory of exactly their size, so that the sanitizer sees each access beside
    them. The policies whose action is an index have none of `name`_act.
    """
    declared, rows = [], []
    for net in networks:
        declared += [f"void {net.name}_scores(const float *x, float *z);", f"int {net.name}_predict(const float *x);"]
        if net.n_actions:
            declared.append(f"void {net.name}_act(const float *x, float *action);")
        act = f"{net.name}_act" if net.n_actions else "0"
        sizes = f"{net.n_inputs}, {net.n_outputs}, {net.n_actions}"
        rows.append(f"  {{{sizes}, {net.name}_scores, {net.name}_predict, {act}}},")
    return _HEAD + "\n".join(declared) + _TABLE + "\n".join(rows) + "\n};\n" + _ANSWERS


_HEAD = """#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

"""
_TABLE = """
typedef struct {
  size_t n_in, n_out, n_actions;
  void (*scores)(const float *, float *);
  int (*predict)(const float *);
  void (*act)(const float *, float *);
} host_network;

static const host_network host_networks[] = {
"""
_ANSWERS = """
void host_answers(size_t number, size_t n, const float *x, float *z, int32_t *label, float *action);

static float *host_floats(size_t count) {
  float *all = (float *)malloc(count * sizeof(float));
  if (all == NULL) abort();
  for (size_t i = 0; i < count; i++) all[i] = (float)NAN; /* what stays unwritten shows */
  return all;
}

void host_answers(size_t number, size_t n, const float *x, float *z, int32_t *label, float *action) {
  const host_network *net = &host_networks[number];
  float *sample = host_floats(net->n_in), *scores = host_floats(net->n_out), *acts = host_floats(net->n_actions);
  for (size_t i = 0; i < n; i++) {
    memcpy(sample, x + i * net->n_in, net->n_in * sizeof(float));
    net->scores(sample, scores);
    memcpy(z + i * net->n_out, scores, net->n_out * sizeof(float));
    label[i] = (int32_t)net->predict(sample);
    if (net->act) {
      net->act(sample, acts);
      memcpy(action + i * net->n_actions, acts, net->n_actions * sizeof(float));
    }
    if (memcmp(sample, x + i * net->n_in, net->n_in * sizeof(float)) != 0) abort(); /* the sample is the caller's */
  }
  free(sample);
  free(scores);
  free(acts);
}
"""
_MAIN = """
static size_t host_least(size_t bytes) { return bytes > 0 ? bytes : 1; }

int main(void) {
  const size_t n_networks = sizeof host_networks / sizeof host_networks[0];
  for (size_t k = 0; k < n_networks; k++) {
    const host_network *net = &host_networks[k];
    uint32_t n = 0;
    if (fread(&n, sizeof n, 1, stdin) != 1) return 2;
    float *x = (float *)malloc(host_least(n * net->n_in * sizeof(float)));
    float *z = (float *)malloc(host_least(n * net->n_out * sizeof(float)));
    int32_t *label = (int32_t *)malloc(host_least(n * sizeof(int32_t)));
    float *action = (float *)malloc(host_least(n * net->n_actions * sizeof(float)));
    if (!x || !z || !label || !action) return 3;
    if (fread(x, sizeof(float), n * net->n_in, stdin) != n * net->n_in) return 2;
    host_answers(k, n, x, z, label, action);
    fwrite(z, sizeof(float), n * net->n_out, stdout);
    fwrite(label, sizeof(int32_t), n, stdout);
    fwrite(action, sizeof(float), n * net->n_actions, stdout);
    free(x);
    free(z);
    free(label);
    free(action);
  }
  return 0;
}
"""
