"""The training loop and what may hang on it."""

from trulysparse.training.callbacks.base import Callback, EarlyStopping
from trulysparse.training.callbacks.progress_bar import ProgressBar
from trulysparse.training.history import History
from trulysparse.training.metrics import evaluate
from trulysparse.training.trainer import Trainer

__all__ = [
    "Callback",
    "EarlyStopping",
    "History",
    "ProgressBar",
    "Trainer",
    "evaluate",
]
