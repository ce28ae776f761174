"""What agents are measured against: rules, bounds by perfect foresight, and control by forecast."""
