from .column import (
    UNITS as UNITS,
    Column as Column,
    Table as Table,
)
from .history import (
    COMPACT as COMPACT,
    list_behind as list_behind,
    list_months as list_months,
    update_history as update_history,
    why_damaged as why_damaged,
)
from .parts import (
    MEND as MEND,
    list_published as list_published,
    part_path as part_path,
    read_part as read_part,
)
from .published import (
    RunFrames as RunFrames,
    RunTables as RunTables,
    is_published as is_published,
    list_nights as list_nights,
    list_runs as list_runs,
    publish as publish,
    read_rows as read_rows,
    read_run as read_run,
    rows_of as rows_of,
)
from .schema import (
    SCHEMA_VERSION as SCHEMA_VERSION,
    TABLES as TABLES,
    schema_of as schema_of,
)
