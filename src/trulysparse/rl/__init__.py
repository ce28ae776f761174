"""Reinforcement learning with truly sparse networks."""
