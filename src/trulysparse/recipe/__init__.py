"""A network, its optimizer, its evolution and its training as one value."""

from trulysparse.recipe.defaults import DataSize
from trulysparse.recipe.options import option
from trulysparse.recipe.recipe import Recipe

__all__ = ["DataSize", "Recipe", "option"]
