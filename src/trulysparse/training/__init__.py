"""Training: Trainer, its callbacks, what it measures."""

from trulysparse.training.callbacks.base import Callback
from trulysparse.training.callbacks.checkpointer import Checkpointer
from trulysparse.training.callbacks.early_stopping import EarlyStopping
from trulysparse.training.callbacks.layer_sizes import LayerSizes
from trulysparse.training.callbacks.mlflow import MLflowLogger
from trulysparse.training.callbacks.progress_bar import ProgressBar
from trulysparse.training.callbacks.tensorboard import TensorBoardLogger
from trulysparse.training.history import History
from trulysparse.training.metrics import evaluate
from trulysparse.training.side_by_side import fit_side_by_side, mean_history
from trulysparse.training.trainer import Trainer

__all__ = [
    "Callback",
    "Checkpointer",
    "EarlyStopping",
    "History",
    "LayerSizes",
    "MLflowLogger",
    "ProgressBar",
    "TensorBoardLogger",
    "Trainer",
    "evaluate",
    "fit_side_by_side",
    "mean_history",
]
