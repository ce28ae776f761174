"""A plan in words: as a table, and as options of the command line that fit."""

from __future__ import annotations

from trulysparse._core import memory
from trulysparse.planning.plan import Plan, PlanRequest, largest_batch_size


def plan_rows(plan: Plan, samples: int | None) -> dict[str, str]:
    """The plan as a table. samples: per epoch, for its time; None: without."""
    shown = {"connections": f"{plan.connections:,}", "neurons": f"{plan.neurons:,}"}
    shown |= {name: memory.human(size) for name, size in plan.parts.items()}
    shown["resident at the peak"] = memory.human(plan.resident)
    if plan.disk:
        shown["on disk"] = memory.human(plan.disk)
        shown["moved to and from disk"] = f"{memory.human(plan.disk_traffic)} per step, whose time comes on top"
    if not plan.step_seconds:
        return shown
    shown |= {name: f"{seconds:.3g} s" for name, seconds in plan.seconds.items()}
    batch = plan.request.batch_size
    shown["step"] = f"{plan.step_seconds:.3g} s, {batch / plan.step_seconds:.3g} samples per second"
    if samples is not None:
        steps = -(-samples // batch)
        shown["epoch"] = f"{steps * plan.step_seconds + plan.seconds['evolution']:.3g} s"
    return shown


def option_text(request: PlanRequest) -> str:
    """A request as options of the command line."""
    return (
        f"--storage {request.storage} --precision {request.weights} --batch-size {request.batch_size} "
        f"--recompute {request.recompute}" + (" --on-disk" if request.on_disk else "")
    )


def fitting_option_text(request: PlanRequest, free: int) -> str:
    """A request that fits as options of the command line, and how far its batches may grow."""
    return f"{option_text(request)} (up to --batch-size {largest_batch_size(request, free)})"


def advice(plan: Plan, other: PlanRequest | None, free: int) -> str:
    """Why the plan does not fit into `free` bytes, and what would."""
    text = f"training needs about {memory.human(plan.resident)}, but only {memory.human(free)} of memory is free; "
    return text + ("try smaller layers or fewer connections" if other is None else f"this fits: {option_text(other)}")
