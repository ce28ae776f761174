"""Every public name is documented: what it takes, gives and raises, and an example that runs."""

from __future__ import annotations

import doctest
import importlib
import importlib.util
import inspect
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import pytest

import trulysparse as ts

# What documents itself: errors are a sentence each, protocols and tables of names have nothing to run.
PACKAGES = (
    "trulysparse",
    "trulysparse.analysis",
    "trulysparse.connectivity",
    "trulysparse.data",
    "trulysparse.evolution",
    "trulysparse.parallel",
    "trulysparse.pruning",
    "trulysparse.report",
    "trulysparse.training",
)
if importlib.util.find_spec("torch") is not None:
    PACKAGES += ("trulysparse.torch",)


def public() -> Iterator[tuple[str, Any]]:
    """(name, object) of the public functions and classes, each once."""
    seen: set[int] = set()
    for package in PACKAGES:
        module = importlib.import_module(package)
        for name in module.__all__:
            thing = getattr(module, name)
            if (inspect.isclass(thing) or inspect.isfunction(thing)) and id(thing) not in seen:
                seen.add(id(thing))
                yield f"{package}.{name}", thing


PUBLIC = dict(public())


def parameters(thing: Any) -> list[str]:
    """Names of the parameters of a function, or of a class's constructor."""
    if inspect.isclass(thing) and thing.__init__ is object.__init__:
        return []
    names = list(inspect.signature(thing).parameters)
    return [name for name in names if name not in ("self", "args", "kwargs")]


def is_plain(thing: Any) -> bool:
    """Whether there is nothing to call: an error, or a protocol."""
    return inspect.isclass(thing) and (issubclass(thing, Exception) or getattr(thing, "_is_protocol", False))


@pytest.mark.parametrize("name", PUBLIC)
def test_public_name_is_documented(name: str) -> None:
    thing = PUBLIC[name]
    text = inspect.getdoc(thing)
    assert text, "no docstring"
    if is_plain(thing):
        return
    assert ">>>" in text, "no example"
    for parameter in parameters(thing):
        assert re.search(rf"\b{re.escape(parameter)}\b", text), f"{parameter} is not described"


def modules() -> list[str]:
    """Every module but those of extras that may be missing."""
    found = [info.name for info in pkgutil.walk_packages(ts.__path__, "trulysparse.")]
    return [name for name in found if not re.search(r"__main__|\._kernels|\.ray\b|\.peers$", name)]


# Modules whose examples need a package of an extra.
NEEDS = {"mlflow": ("mlflow", "mlflow"), "tensorboard": ("tensorboardX", "tensorboard")}
NEEDS |= dict.fromkeys(("dqn", "environments", "evaluate", "noisy", "sac"), ("gymnasium", "rl"))
NEEDS |= dict.fromkeys(("qmix", "team_environment", "team_evaluation", "vdn"), ("mpe2", "multiagent"))
NEEDS |= {"onnx_estimators": ("skl2onnx", "onnx"), "onnx_file": ("onnx", "onnx"), "torch_form": ("torch", "torch")}
NEEDS["pettingzoo"] = ("pettingzoo", "grid")
NEEDS["video"] = ("pygame", "rl")  # for Pendulum's pictures


@pytest.mark.parametrize("name", modules())
def test_examples_run(name: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if name.startswith("trulysparse.torch"):
        pytest.importorskip("torch", reason="torch comes with the extra trulysparse[torch]")
    if (last := name.rsplit(".", 1)[-1]) in NEEDS:
        package, extra = NEEDS[last]
        pytest.importorskip(package, reason=f"{package} comes with the extra trulysparse[{extra}]")
    monkeypatch.chdir(tmp_path)
    failed, _ = doctest.testmod(
        importlib.import_module(name), optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    )
    assert failed == 0
