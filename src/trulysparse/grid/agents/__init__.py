"""Agents of a grid's homes: evolution strategy, TD3 and DQN on sparse networks, alone, shared or exchanging models."""

from trulysparse.grid.agents.policy import ActionMap, Agents
from trulysparse.grid.agents.training import KINDS, Training

__all__ = ["KINDS", "ActionMap", "Agents", "Training"]
