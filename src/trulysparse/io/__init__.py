"""Networks and checkpoints in safetensors files."""
