"""QMIX, with agents and hypernetworks that are sparse from the first step on."""

from __future__ import annotations

from typing import Any

import numpy as np

from trulysparse._core.arrays import Floats
from trulysparse._core.random import stream_key
from trulysparse.optim import Adam
from trulysparse.rl.learner import Learner
from trulysparse.rl.mixing import Mixed, MixingParameters, mix, mix_gradient
from trulysparse.rl.team_replay import Slots
from trulysparse.rl.team_settings import QMIXSettings
from trulysparse.rl.vdn import VDN


class QMIX(VDN):
    """QMIX: the team's value is a mixture of the agents' values that rises with each of them and depends on the state.

    While the team learns, hypernetworks make the weights of a small mixing network from the state of the whole
    environment: `env.state()` or, where there is none, all observations. The weights' magnitudes are used, so that what
    is best for each agent is best for the team, and agents act on their own observations. Agents and hypernetworks are
    sparse, and their topologies evolve. Targets are those of MAST: Soft Mellowmax in place of the largest value (None:
    the largest, as in QMIX's paper, which overestimates), and lambda-returns with `td_lambda`.

    Args:
        env: a PettingZoo parallel environment with Discrete actions.
        seed: of everything random, at least 0.
        threads: of the kernels, at least 1; the same bits for any number.
        settings: by the names of QMIXSettings.

    Attributes:
        hypernetworks: learners of w1, b1, w2 and b2 of the mixing network.

    Raises:
        InputError: where a setting is unknown or out of range, or the environment's spaces do not fit.

    Source:
        Rashid et al., "QMIX: monotonic value function factorisation for deep multi-agent reinforcement learning", ICML
        2018, equations 4 to 6 and figure 2; Hu et al., "Value-based deep multi-agent reinforcement learning with
        dynamic sparse training", NeurIPS 2024, for lambda-returns and Soft Mellowmax of sparse networks.

    Example:
        >>> from mpe2 import simple_spread_v3
        >>> import trulysparse as ts
        >>> env = simple_spread_v3.parallel_env()
        >>> team = ts.rl.QMIX(env, td_lambda=0.6, sequence_length=4, learning_starts=100, seed=0)
        >>> team.learn(150).n_updates
        25
        >>> list(team.learners)
        ['agents', 'w1', 'b1', 'w2', 'b2']
    """

    name = "qmix"
    settings_class = QMIXSettings
    with_state = True

    def __init__(self, env: Any, *, seed: int = 0, threads: int = 1, **settings: Any) -> None:
        super().__init__(env, seed=seed, threads=threads, **settings)
        s = self.settings
        assert isinstance(s, QMIXSettings)
        n_states, units, size = self.spaces.n_states, s.mixing_units, s.hypernetwork_size
        sizes = {
            "w1": (n_states, size, self.spaces.n_agents * units),
            "b1": (n_states, units),
            "w2": (n_states, size, units),
            "b2": (n_states, units, 1),
        }
        self.hypernetworks = {
            name: Learner(
                layer_sizes,
                batch_size=s.batch_size,
                density=s.mixer_density,
                densities=s.densities,
                activation=s.activation,
                optimizer=Adam(s.learning_rate, weight_decay=s.weight_decay, weight_decay_mode="l2"),
                evolution=s.mixer_evolution,
                max_grad_norm=s.max_grad_norm,
                seed=stream_key(self.seed, "hypernetwork", number) >> 1,
                threads=self.threads,
            )
            for number, (name, layer_sizes) in enumerate(sizes.items())
        }
        self.learners |= self.hypernetworks
        self._values: Floats = np.empty(0, np.float32)
        self._mixed: Mixed | None = None
        self._parameters: MixingParameters | None = None

    def mix(self, values: Floats, moments: Slots) -> Floats:
        """See VDN.mix."""
        self._load(moments, [learner.x for learner in self.hypernetworks.values()])
        self._values = values.reshape(len(values), -1)
        self._parameters = self._cut([learner.forward()[0] for learner in self.hypernetworks.values()])
        self._mixed = mix(self._values, self._parameters)
        return self._mixed.total.reshape(moments.shape)

    def mix_targets(self, values: Floats, moments: Slots) -> Floats:
        """See VDN.mix_targets."""
        self._load(moments, [learner.target_x for learner in self.hypernetworks.values()])
        parameters = self._cut([learner.forward_targets()[0] for learner in self.hypernetworks.values()])
        return mix(values.reshape(len(values), -1), parameters).total.reshape(moments.shape)

    def update_mixer(self, d_total: Floats) -> Floats:
        """See VDN.update_mixer. Gradients at the mixing network's weights are those at the hypernetworks' outputs."""
        assert self._mixed is not None
        assert self._parameters is not None
        d_values, d_parameters = mix_gradient(d_total.ravel(), self._mixed, self._values, self._parameters)
        for learner, gradient in zip(self.hypernetworks.values(), d_parameters, strict=True):
            learner.dy[0][:, : gradient.shape[1]] = gradient
            learner.update()
        return d_values.reshape(-1, *d_total.shape)

    def _load(self, moments: Slots, inputs: list[Floats]) -> None:
        """Lays the states of moments out as the input of each hypernetwork."""
        assert self.replay is not None
        self.replay.gather_states(moments.ravel(), inputs[0], self.threads)
        for x in inputs[1:]:
            np.copyto(x, inputs[0])

    def _cut(self, outputs: list[Floats]) -> MixingParameters:
        """Outputs without the columns beyond the samples."""
        return MixingParameters(*(output[:, : self.settings.batch_size] for output in outputs))
