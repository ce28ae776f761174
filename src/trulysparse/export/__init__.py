"""Networks for where no Python runs: one C file, ONNX, and the sparse matrices of SciPy and PyTorch."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trulysparse.export.blob import blob_of as blob_of
    from trulysparse.export.blob import save_blob as save_blob
    from trulysparse.export.blob import train_memory as train_memory
    from trulysparse.export.c_file import c as c
    from trulysparse.export.device_network import DeviceNetwork as DeviceNetwork
    from trulysparse.export.onnx_estimators import register_onnx_converters as register_onnx_converters
    from trulysparse.export.onnx_file import onnx as onnx
    from trulysparse.export.scipy_form import from_scipy as from_scipy
    from trulysparse.export.scipy_form import scipy as scipy
    from trulysparse.export.size import Size as Size
    from trulysparse.export.torch_form import from_torch as from_torch
    from trulysparse.export.torch_form import torch as torch

# No module is called as a function of the package: importing it would put the module in the function's place.
_MODULES = {
    "DeviceNetwork": "device_network",
    "Size": "size",
    "blob_of": "blob",
    "c": "c_file",
    "from_scipy": "scipy_form",
    "from_torch": "torch_form",
    "onnx": "onnx_file",
    "register_onnx_converters": "onnx_estimators",
    "save_blob": "blob",
    "scipy": "scipy_form",
    "torch": "torch_form",
    "train_memory": "blob",
}

__all__ = list(_MODULES)  # the names that __getattr__ knows


def __getattr__(name: str) -> Any:
    """Each is imported at its first use: what writes a C file needs no ONNX."""
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
