"""Workers and server as actors of a Ray cluster."""
