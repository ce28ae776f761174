"""Layers by how they are stored: indexed, tiled, and mapped into files."""
