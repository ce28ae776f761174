"""Importance pruning: hidden neurons removed for good."""
