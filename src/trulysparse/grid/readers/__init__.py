"""Files of homes' data, a module per layout."""
