"""One module per file format, each of which gives a Table or says in one sentence why not."""
