"""Opens what `export` and `device-budget` take: the network or the policy of a run of any kind, or of a model file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trulysparse.cli._exportable import Choice, Exportable, numbered
from trulysparse.cli._run import Run, is_of_agents
from trulysparse.cli._training_samples import training_samples
from trulysparse.io.models import load


def open_exportable(run: Path, choice: Choice) -> Exportable:
    """The network or policy of a run, or of a model file.

    Args:
        run: a folder that train, `rl train` or `grid run` wrote, or a file that save wrote.
        choice: which of several.

    Raises:
        InputError: where there is none, or more than one is meant.
    """
    if run.is_file():
        return _of_file(run, choice)
    if is_of_agents(run):
        from trulysparse.cli.rl._exported_policy import exported_policy

        return exported_policy(run, choice)
    from trulysparse.cli.grid._run_folder import is_of_grid

    if is_of_grid(run):
        from trulysparse.cli.grid._exported_agent import exported_agent

        return exported_agent(run, choice)
    choice.only(run, "a run of `trulysparse train`, which has one network")
    opened = Run.open(run)
    return Exportable(opened.net, _encoding_notes(opened.net), opened, lambda: training_samples(opened))


def _encoding_notes(model: Any) -> list[str]:
    """What to say of a network whose samples are tables."""
    if getattr(model, "preprocessor", None) is None:
        return []
    return [
        f"inputs are the {model.layer_sizes[0]} numbers that the columns of the table become, in the order of "
        "feature_names; the device must do that itself"
    ]


def _of_file(path: Path, choice: Choice) -> Exportable:
    model = load(path)
    if not hasattr(model, "n_agents"):  # of a fleet there is one network per agent
        choice.only(path, "a file of one model")
        return Exportable(model, _encoding_notes(model))
    choice.only(path, "a file of a fleet", "agent")
    return Exportable(model[numbered(choice.agent, model.n_agents, "agents", path)])
