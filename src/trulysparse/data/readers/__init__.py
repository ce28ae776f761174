"""One module per file format; each reads a Table or raises an InputError of one sentence."""
