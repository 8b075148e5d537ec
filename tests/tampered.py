"""Published tables changed after the fact, as someone who edits a Parquet file would."""

from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from storage.results import Results

Row = dict[str, Any]


def tamper(
    results: Results,
    run_id: str,
    table: str,
    changes: Mapping[str, object],
    where: Callable[[Row], bool] = lambda _: True,
) -> None:
    """Replace values in the rows of a table that are chosen; there must be some."""
    path = results.tables / table / f"run={run_id}" / "part-0.parquet"
    content = pq.ParquetFile(path).read()
    rows = content.to_pylist()
    chosen = [row for row in rows if where(row)]
    assert chosen
    for row in chosen:
        row.update(changes)
    pq.write_table(pa.Table.from_pylist(rows, schema=content.schema), path)
