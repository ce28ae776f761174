"""The training loop and what may hang on it."""

from trulysparse.training.callbacks import Callback, EarlyStopping
from trulysparse.training.history import History
from trulysparse.training.importance import ImportancePruning, PruningReport, prune_neurons
from trulysparse.training.metrics import evaluate
from trulysparse.training.progress import ProgressBar
from trulysparse.training.trainer import Trainer

__all__ = [
    "Callback",
    "EarlyStopping",
    "History",
    "ImportancePruning",
    "ProgressBar",
    "PruningReport",
    "Trainer",
    "evaluate",
    "prune_neurons",
]
