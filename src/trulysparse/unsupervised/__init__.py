"""Learning without labels: autoencoders, restricted Boltzmann machines, feature selection."""
