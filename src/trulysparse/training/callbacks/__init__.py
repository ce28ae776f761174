"""Callbacks of a training: the base class, early stopping, progress bar, checkpoints."""
