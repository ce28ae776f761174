"""Tables of numbers, texts, categories, booleans and gaps as numbers for a network."""

from typing import TYPE_CHECKING, Any

from trulysparse.preprocessing.frames import is_frame, needs_preprocessing

if TYPE_CHECKING:
    from trulysparse.preprocessing.table_preprocessor import TablePreprocessor

__all__ = ["TablePreprocessor", "is_frame", "needs_preprocessing"]


def __getattr__(name: str) -> Any:
    """Imports the transformer, and scikit-learn with it, at its first use only."""
    if name == "TablePreprocessor":
        from trulysparse.preprocessing.table_preprocessor import TablePreprocessor

        return TablePreprocessor
    raise AttributeError(f"module 'trulysparse.preprocessing' has no attribute {name!r}")
