"""Models that learn from samples alone, in scikit-learn's form: autoencoders, feature selection, Boltzmann machines."""

from importlib import import_module
from typing import Any

_MODULES = {
    "SparseAutoencoder": "autoencoder",
    "SparseFeatureSelector": "selector",
    "SparseRBM": "rbm",
}


def __getattr__(name: str) -> Any:
    """Each class is imported at its first use."""
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
