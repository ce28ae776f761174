"""Fleets: many independent sparse networks of the same sizes, made, asked and changed in one call."""

from trulysparse.nn.fleet.fleet import Fleet as Fleet
