"""The AC power flow of radial feeders, many at once."""
