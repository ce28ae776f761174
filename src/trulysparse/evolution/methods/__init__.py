"""One file per method of topology evolution, and the registry that finds them by name."""
