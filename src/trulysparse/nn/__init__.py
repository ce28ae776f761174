"""Networks: layers, activations, losses, initialization, both passes."""
