"""The workers of one phase 1 on a Ray cluster, as the driver manages them, and the connection to the cluster."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from trulysparse._core import checks
from trulysparse.errors import InputError, MissingExtraError
from trulysparse.parallel.config import ParallelConfig

POLL = 0.1  # seconds between looks at the cluster


class WorkerPool:
    """The workers of one phase 1: starts them, notices those that do not answer, starts more as processors become free.

    start: makes the worker actor of a number. leave: tells the server that a worker does not answer.
    """

    def __init__(
        self, ray: Any, config: ParallelConfig, start: Callable[[int], Any], leave: Callable[[int], object]
    ) -> None:
        self._ray = ray
        self._config = config
        self._start = start
        self._leave = leave
        self._workers: dict[int, Any] = {}
        self._serving: dict[int, Any] = {}
        self._pings: dict[int, tuple[Any, float]] = {}
        self._lost: set[int] = set()
        self._checked_at = time.monotonic()
        for number in range(config.workers):
            self._start_worker(number)

    def _start_worker(self, number: int) -> None:
        self._workers[number] = self._start(number)
        self._serving[number] = self._workers[number].serve.remote()

    def poll(self) -> bool:
        """Waits for POLL seconds at most; returns whether a worker that answers is still at work. Raises a worker's
        error."""
        done, _ = self._ray.wait(list(self._serving.values()), num_returns=len(self._serving), timeout=POLL)
        for number, ref in list(self._serving.items()):
            if ref in done:
                result(self._ray, ref)
                del self._serving[number]
        self._check_workers()
        waiting = set(self._serving) - self._lost
        return bool(waiting) or len(self._serving) == len(self._workers)

    def _check_workers(self) -> None:
        now = time.monotonic()
        for number in self._serving:
            ref, since = self._pings.get(number, (None, now))
            if ref is not None and not self._ray.wait([ref], timeout=0)[0]:
                if now - since > self._config.worker_timeout and number not in self._lost:
                    self._lost.add(number)
                    self._leave(number)
                continue
            self._lost.discard(number)
            self._pings[number] = self._workers[number].ping.remote(), now
        # More workers, if there are more shards than workers and a processor is free.
        if len(self._workers) < self._config.n_shards and now - self._checked_at > 1.0:
            self._checked_at = now
            if len(self._serving) == len(self._workers) and self._ray.available_resources().get("CPU", 0) >= 1:
                self._start_worker(len(self._workers))

    def shutdown(self) -> None:
        """Ends all workers."""
        for worker in self._workers.values():
            self._ray.kill(worker)


def result(ray: Any, ref: Any) -> Any:
    """What a remote call returned; raises its error as if it had happened here."""
    try:
        return ray.get(ref)
    except ray.exceptions.RayTaskError as error:
        cause = error.cause
        while isinstance(cause, ray.exceptions.RayTaskError):
            cause = cause.cause
        raise (cause if isinstance(cause, Exception) else error) from None


def connect(config: ParallelConfig) -> Any:
    """Ray, connected to config.address, to the cluster this process is connected to already, or to a local one."""
    try:
        # A local cluster starts with token authentication in all releases that have it; Ray looks when it is imported.
        if config.address is None and "ray" not in sys.modules:
            os.environ.setdefault("RAY_AUTH_MODE", "token")
        import ray
    except ImportError:
        raise MissingExtraError("backend='ray'", "Ray", "ray") from None
    if ray.is_initialized():
        return ray
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if config.address is None:
        cores = max(config.workers, checks.thread_count(None))
        ray.init("local", num_cpus=cores, include_dashboard=False, **options)
        return ray
    _check_reachable(config.address)
    try:
        ray.init(config.address, **options)
    except Exception as error:  # Ray raises several types
        raise InputError(_refusal(config.address, error)) from None
    return ray


def _refusal(address: str, error: BaseException) -> str:
    """Why the connection to a cluster failed, in one sentence: the causes of Ray's error say it, not its first line."""
    lines: list[str] = []
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        text = str(cause).strip() or type(cause).__name__
        if "Traceback (most recent call last)" in text:  # Ray quotes the whole error of another process
            text = text.splitlines()[-1]
        text = " ".join(text.split())
        if not any(text in line for line in lines):
            lines.append(text)
        cause = cause.__cause__ or cause.__context__
    reason = "; ".join(line if len(line) <= 200 else f"{line[:200]} ..." for line in lines)
    whole = " ".join(lines).lower()
    if any(word in whole for word in ("unauthenticated", "authentication", "authtoken", "auth_token", "auth_mode")):
        return (
            f"address: the Ray cluster at '{address}' requires a valid token: set RAY_AUTH_MODE=token and the "
            f"cluster's token in RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH ({reason})"
        )
    return f"address: no Ray cluster answers at '{address}' ({reason})"


def _check_reachable(address: str) -> None:
    """InputError at once where nothing listens at the address; Ray would try for minutes."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in host:
        raise InputError(f"address must be HOST:PORT of a Ray cluster's head, or auto, not '{address}'")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"address: no Ray cluster answers at '{address}' ({error})") from None
