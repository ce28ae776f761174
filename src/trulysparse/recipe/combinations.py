"""Which options of a recipe are in range and go together."""

from __future__ import annotations

from collections.abc import Collection

from trulysparse._core import checks
from trulysparse.connectivity import layer_counts
from trulysparse.connectivity.counts import is_per_layer
from trulysparse.data.scaling_figures import KINDS
from trulysparse.errors import InputError
from trulysparse.evolution import WITH_ZETA, Evolution
from trulysparse.nn.initialization import WeightInit
from trulysparse.nn.layers.storage import StorageConfig
from trulysparse.nn.losses.make import BY_NAME
from trulysparse.optim.adam import FRESH_STATES
from trulysparse.parallel import WASAP
from trulysparse.recipe.options import known
from trulysparse.recipe.parts import RecipeParts


class CheckedRecipe(RecipeParts):
    """Refuses options that are out of range or without effect; see Recipe."""

    def check(self, given: Collection[str] = ()) -> None:
        """Refuses options that are out of range or do not go together.

        Args:
            given: names of the options that the user wrote; none of those may be without effect.

        Raises:
            InputError: a sentence that names the option.
        """
        if self.is_open:
            return self.resolved(given=given).check(given)
        for size in known(self.hidden):
            checks.integer(self.spelled("hidden"), size, low=1)
        for name, low in (("epochs", 1), ("n_estimators", 1), ("seed", 0), ("workers", 1)):
            checks.integer(self.spelled(name), getattr(self, name), low=low)
        checks.real(self.spelled("zeta"), self.zeta, low=0, high=1)
        checks.real(self.spelled("evolve_until"), known(self.evolve_until), low=0, high=1, low_open=True)
        checks.real(self.spelled("input_noise"), self.input_noise, low=0)
        checks.real(self.spelled("input_dropout"), known(self.input_dropout), low=0, high=1, high_open=True)
        checks.real(self.spelled("input_masking"), self.input_masking, low=0, high=1, high_open=True)
        checks.real(self.spelled("input_swap"), self.input_swap, low=0, high=1)
        if self.skip_density is not None:
            checks.real(self.spelled("skip_density"), self.skip_density, low=0, high=1, low_open=True)
        checks.choice(self.spelled("backend"), self.backend, ("threads", "ray"))
        checks.choice(self.spelled("scale"), self.scale, (*KINDS, "auto"))
        if self.loss is not None:
            checks.choice(self.spelled("loss"), self.loss, tuple(BY_NAME))
        checks.choice(self.spelled("fresh_state"), self.fresh_state, FRESH_STATES)
        if self.epsilon is not None:
            checks.real(self.spelled("epsilon"), self.epsilon, low=0, low_open=True)
        if self.density is not None and self.epsilon is not None:
            raise InputError(f"{self.spelled('epsilon')} cannot be combined with {self.spelled('density')}")
        self._check_combinations()
        for name, need, met in self._needs():
            if name in given and not met:
                raise InputError(f"{self.spelled(name)} {need}")
        self.make_optimizer()
        self.make_layer_rates()
        self.make_evolution()
        self.make_activation()
        self.make_callbacks()
        self.make_augmentation()
        layer_counts((2, *known(self.hidden), 2), **self.sparsity)
        WeightInit(self.init, self.fan, self.balance)
        StorageConfig.create(self.storage, self.weights, self.weights, None, "float32")

    def _check_combinations(self) -> None:
        compact, spelled = self.storage == "compact", self.spelled
        if self.input_masking and self.input_dropout:
            raise InputError(f"{spelled('input_masking')} cannot be combined with {spelled('input_dropout')}")
        if self.input_swap and not self.redraw_input_noise:
            needed = spelled("redraw_input_noise")
            raise InputError(f"{spelled('input_swap')} needs {needed}, as others are swapped in each batch")
        if not self.redraw_input_noise and not (self.input_noise or self.input_dropout or self.input_masking):
            raise InputError(
                f"{spelled('redraw_input_noise')} is about noise of the inputs: give {spelled('input_noise')} too"
            )
        if self.parallel is not None and not isinstance(self.parallel, WASAP):
            checks.choice(spelled("parallel"), self.parallel, ("wasap", "wassp"))
        if self.percolate and isinstance(self.evolution, Evolution):
            raise InputError(f"{spelled('percolate')} is a setting of the evolution object: give it percolate=True")
        if self.on_disk and not compact:
            raise InputError(f"{spelled('on_disk')} needs {spelled('storage', 'compact')}")
        if self.on_disk and self.skip:
            raise InputError(f"{spelled('skip')} cannot be combined with {spelled('on_disk')}")
        if self.skip_density is not None and not self.skip:
            raise InputError(f"{spelled('skip_density')} needs {spelled('skip')}")
        if self.momentum_precision == "bfloat16" and not compact:
            raise InputError(f"{spelled('momentum_precision', 'bfloat16')} needs {spelled('storage', 'compact')}")
        if self.importance_pruning and compact:
            raise InputError(
                f"{spelled('importance_pruning')} needs {spelled('storage', 'indexed')}: a compact network keeps its "
                "neurons"
            )
        if known(self.n_estimators) > 1:
            self._check_several()
        if self.importance_pruning and self.importance_start > known(self.epochs):
            raise InputError(
                f"{spelled('importance_pruning')} would begin after epoch {self.importance_start} only "
                f"({spelled('importance_start')}), but {spelled('epochs')} is {self.epochs}"
            )

    def _check_several(self) -> None:
        """InputError where several networks cannot be trained so, or not become one."""
        several = f"{self.spelled('n_estimators')} above 1"
        if self.storage != "indexed":
            raise InputError(f"{several} needs {self.spelled('storage', 'indexed')}, in which networks become one")
        if self.is_parallel:
            raise InputError(f"{several} cannot be combined with workers, which share the training of one network")

    def _needs(self) -> list[tuple[str, str, bool]]:
        """(option, what is to be said where it has no effect, whether it has one), of those that depend on others."""
        spelled, sgd = self.spelled, self.optimizer == "sgd"
        workers = f"is for parallel training: give {spelled('workers')} too"
        pruning = f"needs {spelled('importance_pruning')} above 0", bool(self.importance_pruning)
        by_epochs = self.evolution in WITH_ZETA
        per_layer = is_per_layer(self.density)
        one_density = self.density is not None and not per_layer
        sloped = self.activation in ("all_relu", "leaky_relu")
        return [
            ("backend", workers, self.is_parallel),
            ("phase1_epochs", workers, self.is_parallel),
            ("epsilon", f"cannot be combined with {spelled('density')}, which takes its place", self.density is None),
            ("densities", f"needs one {spelled('density')} to divide", one_density),
            ("output_density", f"cannot be combined with a {spelled('density')} per layer", not per_layer),
            ("alpha", f"needs an {spelled('activation')} with a slope: all_relu or leaky_relu", sloped),
            ("fan", f"needs {spelled('init', 'he_uniform')}, xavier_uniform or uniform", self.init != "normal"),
            ("zeta", f"needs {spelled('evolution', 'set')}, or one of {', '.join(WITH_ZETA[1:])}", by_epochs),
            ("fresh", f"needs {spelled('evolution', 'set')}", self.evolution == "set"),
            ("evolve_until", f"needs {spelled('evolution', 'set')}, or one of {', '.join(WITH_ZETA[1:])}", by_epochs),
            ("image_shape", f"needs {spelled('augmentation')}", isinstance(self.augmentation, str)),
            ("importance_start", *pruning),
            ("importance_every", *pruning),
            ("base_fan_in", f"needs {spelled('layer_rates', 'supar')}", self.layer_rates == "supar"),
            ("rate_exponent", f"needs {spelled('layer_rates', 'supar')}", self.layer_rates == "supar"),
            ("warmup", f"needs {spelled('schedule', 'cosine')}", self.schedule == "cosine"),
            ("momentum", f"needs {spelled('optimizer', 'sgd')}", sgd),
            ("nesterov", f"needs {spelled('optimizer', 'sgd')}", sgd),
            ("momentum_precision", f"needs a {spelled('momentum')} above 0", not sgd or self.momentum > 0),
            ("weight_decay_mode", f"needs {spelled('weight_decay')} above 0", known(self.weight_decay) > 0),
            ("fresh_state", f"needs {spelled('optimizer', 'adam')}", self.optimizer == "adam"),
            ("fresh_state", f"needs an {spelled('evolution')} other than none", self.evolution not in (None, "none")),
        ]
