"""Restricted Boltzmann machines: the machine, how it learns, and what can be drawn and computed from it."""
