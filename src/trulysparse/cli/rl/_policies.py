"""The policies of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trulysparse.cli.rl._run_folder import AGENT, BEST, POLICY, seed_folder
from trulysparse.cli.rl._seed import load_agent
from trulysparse.cli.rl._settings import AgentSettings
from trulysparse.errors import InputError


def read_policies(out: Path, settings: AgentSettings, best: bool) -> dict[int, Any]:
    """The policy of each seed, or its team, by seed; of one that has not finished that of its last checkpoint.

    Args:
        out: folder of the run.
        settings: of the run.
        best: whether to take those of the best evaluations.

    Raises:
        InputError: where there is none yet, or a file is damaged.
    """
    from trulysparse.rl.policy import Policy

    found = {}
    for seed in settings.all_seeds:
        folder = seed_folder(out, settings, seed)
        frozen, whole = folder / (BEST[1] if best else POLICY), folder / (BEST[0] if best else AGENT)
        if settings.is_team:  # which acts as a whole
            if whole.is_file():
                found[seed] = load_agent(settings, whole)
        elif frozen.is_file():
            found[seed] = Policy.load(frozen)
        elif not best and (folder / AGENT).is_file():
            found[seed] = load_agent(settings, folder / AGENT).freeze()
    if not found:
        raise InputError(f"RUN: '{out}' holds no policy yet")
    return found
