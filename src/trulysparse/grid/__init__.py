"""Homes with panels and batteries that share a grid: data, physics, markets, agents."""
