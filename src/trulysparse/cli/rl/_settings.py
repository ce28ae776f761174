"""What the training of an agent depends on, as options of the command line and as config.json keeps it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from trulysparse._core import checks
from trulysparse._core.typed import checked_fields
from trulysparse.cli._command_line import option_words
from trulysparse.cli.rl._algorithms import AGENTS, ALGORITHMS, TEAMS, having, listed, settings_of
from trulysparse.errors import InputError
from trulysparse.recipe import option

# Settings of algorithms that have another name as an option.
_RENAMED = {"hidden": "hidden_layer_sizes"}
# Options that are no settings of an algorithm, but of the run.
_OF_RUN = (
    "env", "env_kwargs", "noise_features", "algorithm", "preset", "steps", "seed", "seeds", "n_envs", "eval_every",
    "eval_episodes", "checkpoint_every", "save_replay",
)  # fmt: skip


def _setting(help: str, *flags: str, **more: Any) -> Any:
    return option(None, help, *flags, **more)


@dataclass(frozen=True, kw_only=True)
class AgentSettings:
    """All that a run depends on. Settings of the algorithm that are None are those of the preset."""

    env: str = field(
        metadata={
            "help": "Id of a Gymnasium environment, such as Pendulum-v1; for a team one of PettingZoo, such as "
            "mpe2:simple_spread_v3."
        }
    )
    env_kwargs: str | None = option(None, "Arguments of the environment, as JSON: '{\"continuous\": true}'.")
    noise_features: float | None = option(
        None, "Share of features of pure noise that observations get beside their own, such as 0.9. Default: none."
    )
    algorithm: str | None = option(
        None,
        f"{', '.join(AGENTS)}; of teams {', '.join(TEAMS)}. Default: by the actions, td3 for continuous ones, dqn for "
        "choices.",
    )
    preset: str = option("default", "default, faithful (the published settings), ultra (wide, very sparse) or anf.")
    steps: int = option(100_000, "Steps in the environment, in all of them together.")
    seed: int = option(0, "Of networks, batches, exploration and environment.")
    seeds: int = option(1, "Trainings, of this seed and those after it.")
    n_envs: int = option(1, "Copies of the environment that are stepped together.")
    eval_every: int | None = option(
        None, "Steps between evaluations; 0: only at the end. Default: a twentieth of the steps."
    )
    eval_episodes: int = option(10, "Episodes of an evaluation.")
    checkpoint_every: int | None = option(
        None, "Steps between checkpoints; 0: only at the end and where a signal comes. Default: as for evaluations."
    )
    save_replay: bool = option(
        True,
        "Keep the replay buffer with each checkpoint: a training that goes on without it fills it anew.",
        "--save-replay/--no-save-replay",
    )

    hidden: tuple[int, ...] | None = _setting("Hidden layer sizes, such as 256,256.", numbers=True)
    density: float | tuple[float, ...] | None = _setting(
        "Share of a dense network's connections, or one per layer: 0.4,0.5,1.", numbers=True
    )
    actor_density: float | tuple[float, ...] | None = _setting("The actor's own density.", numbers=True)
    critic_density: float | tuple[float, ...] | None = _setting("The critics' own density.", numbers=True)
    epsilon: float | tuple[float, ...] | None = _setting(
        "In the place of a density: a layer has epsilon * (n_in + n_out) connections; or one per layer.", numbers=True
    )
    actor_epsilon: float | tuple[float, ...] | None = _setting("The actor's own.", numbers=True)
    critic_epsilon: float | tuple[float, ...] | None = _setting("The critics' own.", numbers=True)
    densities: str | None = _setting("How one density is divided among layers: erk or uniform.")
    evolution: str | None = _setting("How topologies evolve: set, rigl, static or another method's name.")
    actor_evolution: str | None = _setting("The actor's own.")
    critic_evolution: str | None = _setting("The critics' own.")
    activation: str | None = _setting("Of hidden neurons.")
    batch_size: int | None = _setting("Transitions per update.")
    learning_rate: float | None = _setting("Adam's.")
    weight_decay: float | None = _setting("L2 on connections, within Adam.")
    gamma: float | None = _setting("Discount.")
    tau: float | None = _setting("Share of the networks that their targets take in.")
    buffer_size: int | None = _setting("Transitions that the replay buffer holds.")
    learning_starts: int | None = _setting("Steps with random actions before the first update.")
    train_freq: int | None = _setting("Steps between updates.")
    gradient_steps: int | None = _setting("Updates each time; -1: as many as there were steps.")
    n_steps: int | None = _setting("Rewards that a target adds up.")
    dynamic_capacity: bool | None = _setting(
        "Let the replay buffer forget old transitions as the policy moves away from them.",
        "--dynamic-capacity/--no-dynamic-capacity",
    )
    normalize_observations: bool | None = _setting(
        "Give networks observations of mean 0 and variance 1.", "--normalize/--no-normalize"
    )
    policy_delay: int | None = _setting("td3: updates of the critics per update of the actor.")
    target_policy_noise: float | None = _setting("td3: deviation of the noise on the target's actions.")
    target_noise_clip: float | None = _setting("td3: its bound.")
    exploration_noise: float | None = _setting("td3: deviation of the noise on actions.")
    ent_coef: str | None = _setting("sac: the temperature; auto: learned from 1 on, auto_0.1: from 0.1 on.")
    target_entropy: str | None = _setting("sac: what a learned temperature aims at, or auto: minus the components.")
    target_update_interval: int | None = _setting("sac: updates; dqn, teams: steps between those of the targets.")
    exploration_fraction: float | None = _setting(
        "dqn, teams: share of the steps in which random actions become fewer."
    )
    exploration_initial_eps: float | None = _setting("dqn, teams: share of random actions at the start.")
    exploration_final_eps: float | None = _setting("dqn, teams: and at the end.")
    double: bool | None = _setting("dqn, teams: the network chooses the target's action.", "--double/--no-double")
    loss: str | None = _setting("dqn, teams: squared or huber.")
    max_grad_norm: float | None = _setting("dqn, teams: what the norm of the gradient is limited to.")
    share_parameters: bool | None = _setting(
        "Teams: one network for all agents, or one for each.", "--share-parameters/--no-share-parameters"
    )
    soft_mellowmax: bool | None = _setting(
        "Teams: a soft maximum of next values, in the place of double.", "--soft-mellowmax/--no-soft-mellowmax"
    )
    td_lambda: float | None = _setting("Teams: of lambda-returns, from 0 (one step) to 1.")
    sequence_length: int | None = _setting("Teams: transitions of a batch that follow one another.")
    mixing_units: int | None = _setting("qmix: hidden neurons of the mixing network.")
    hypernetwork_size: int | None = _setting("qmix: hidden neurons of each hypernetwork.")
    mixer_density: float | None = _setting("qmix: of the hypernetworks.")
    mixer_evolution: str | None = _setting("qmix: of the hypernetworks.")

    def check(self) -> None:
        """InputError where an option is out of range, or not of this algorithm. Ranges of the algorithm's settings are
        checked where it is made."""
        if self.algorithm is not None:
            checks.choice("--algorithm", self.algorithm, ALGORITHMS)
        for name, low in (("steps", 1), ("seed", 0), ("seeds", 1), ("n_envs", 1), ("eval_episodes", 1)):
            checks.integer(spelled(name), getattr(self, name), low=low)
        for name in ("eval_every", "checkpoint_every"):
            if getattr(self, name) is not None:
                checks.integer(spelled(name), getattr(self, name), low=0)
        if self.noise_features is not None:
            checks.real("--noise-features", self.noise_features, low=0, high=1, low_open=True, high_open=True)
        self.make_kwargs()
        self.check_algorithm()

    def check_algorithm(self) -> None:
        """InputError where a setting is given that the algorithm does not have; nothing where it is not known yet."""
        if self.algorithm is None:
            return
        known = settings_of(self.algorithm)
        for name in self.given_settings():
            if name not in known:
                raise InputError(f"{spelled(name)} is a setting of {listed(having(name))}, not of {self.algorithm}")
        if not self.is_team:
            return
        for name in ("preset", "n_envs", "noise_features"):
            if getattr(self, name) != getattr(AgentSettings, name):
                raise InputError(f"{spelled(name)} is for {listed(list(AGENTS))}, not for {self.algorithm}")

    def make_kwargs(self) -> dict[str, Any]:
        """Arguments of the environment; InputError where they are not a JSON object."""
        if self.env_kwargs is None:
            return {}
        try:
            values = json.loads(self.env_kwargs)
        except ValueError:
            values = None
        if not isinstance(values, dict):
            raise InputError(
                f"--env-kwargs must be a JSON object such as '{{\"continuous\": true}}', not '{self.env_kwargs:.80}'"
            )
        return values

    def given_settings(self) -> dict[str, Any]:
        """The settings of the algorithm that are not the preset's, by its own names."""
        values = {
            _RENAMED.get(each.name, each.name): getattr(self, each.name)
            for each in fields(self)
            if each.name not in _OF_RUN and getattr(self, each.name) is not None
        }
        for name in ("ent_coef", "target_entropy"):
            if name in values and not values[name].startswith("auto"):  # of which agents know the rest
                values[name] = _number_or_auto(spelled(name), values[name])
        if values.pop("soft_mellowmax", False):
            from trulysparse.rl.targets import SoftMellowmax

            values["soft_mellowmax"] = SoftMellowmax()
        return values

    @property
    def is_team(self) -> bool:
        """Whether agents learn together, in an environment of PettingZoo."""
        return self.algorithm in TEAMS

    @property
    def evaluation_steps(self) -> int:
        """Steps between evaluations."""
        return max(1, self.steps // 20) if self.eval_every is None else self.eval_every or self.steps

    @property
    def checkpoint_steps(self) -> int:
        """Steps between checkpoints."""
        return self.evaluation_steps if self.checkpoint_every is None else self.checkpoint_every or self.steps

    @property
    def all_seeds(self) -> range:
        """Those that are trained."""
        return range(self.seed, self.seed + self.seeds)

    def to_json(self) -> dict[str, Any]:
        """The options by name."""
        return asdict(self)

    @staticmethod
    def from_json(values: dict[str, Any]) -> AgentSettings:
        """What `to_json` gave; ValueError where a value is missing or of another type."""
        found = checked_fields(AgentSettings, values)
        if "env" not in found:
            raise ValueError("env is missing")
        return AgentSettings(**found)

    def command_line(self, out: Path) -> str:
        """The command that repeats the run.

        Args:
            out: its folder.

        Returns:
            The words, quoted for a shell.

        Example:
            >>> AgentSettings(env="Pendulum-v1", density=0.1, hidden=(64, 64)).command_line(Path("runs/p"))
            'trulysparse rl train Pendulum-v1 --out runs/p --hidden 64,64 --density 0.1'
        """
        words = ["trulysparse", "rl", "train", self.env, "--out", str(out)]
        for each in fields(self):
            value = getattr(self, each.name)
            if each.default is not MISSING and value != each.default:
                words += option_words(each.name, value, each.metadata["flags"])
        return shlex.join(words)


def _number_or_auto(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{name} must be a number or auto, not '{text}'") from None


def spelled(name: str) -> str:
    """A setting as the option that sets it.

    Example:
        >>> spelled("learning_rate"), spelled("hidden_layer_sizes"), spelled("normalize_observations")
        ('--learning-rate', '--hidden', '--normalize')
    """
    name = {own: short for short, own in _RENAMED.items()}.get(name, name)
    flags = next((each.metadata.get("flags") for each in fields(AgentSettings) if each.name == name), None)
    return flags[0].partition("/")[0] if flags else "--" + name.replace("_", "-")


@contextmanager
def as_options(settings: AgentSettings) -> Iterator[None]:
    """Within it, errors of agents about settings name the options that set them."""
    try:
        yield
    except InputError as error:
        text = str(error)
        found = re.match(r"[a-z_]+", text)
        names = {*_RENAMED.values(), *(each.name for each in fields(AgentSettings))}
        if found is None or found[0] not in names:
            raise
        name = found[0]
        given, both = settings.given_settings(), name.partition("_")[2]
        if name not in given and both in given:  # what stands for actor and critics
            name = both
        raise InputError(("ENV" if name == "env" else spelled(name)) + text[found.end() :]) from None
