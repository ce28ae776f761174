""".feather files: tables of Apache Arrow."""

from __future__ import annotations

from trulysparse.data.readers.arrow_table import check_types, columns_of, frame_of
from trulysparse.data.readers.columns import choose
from trulysparse.data.readers.frame_table import table_of
from trulysparse.data.readers.guard import guarded
from trulysparse.data.readers.request import Request
from trulysparse.data.table import Table
from trulysparse.errors import MissingExtraError


def read_feather(request: Request) -> Table:
    """A table in memory."""
    try:
        import pandas  # noqa: F401  # to_pandas needs it
        import pyarrow as pa
    except ImportError:
        raise MissingExtraError("reading .feather files", "pandas and pyarrow", "tables") from None
    with guarded(request.path, ".feather"), pa.memory_map(str(request.path)) as source:
        table = pa.ipc.open_file(source).read_all()
        choice = choose(request, columns_of(table.schema))
        check_types(table.schema, choice.columns, numbers_only=False)
        return table_of(request, frame_of(table.select(choice.columns)), choice)
