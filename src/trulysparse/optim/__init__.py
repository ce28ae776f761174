"""Optimizers, learning-rate schedules, and the state that lies on connections."""
