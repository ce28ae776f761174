"""The parameter server: which worker does which batch, updates, locks, statistics."""
