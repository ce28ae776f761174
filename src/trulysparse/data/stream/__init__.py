"""Samples that stay in their files: blocks, the matrix over them, and readers that read ahead."""
