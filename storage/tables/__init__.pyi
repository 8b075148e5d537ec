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
    list_rows as list_rows,
    part_path as part_path,
    read_part as read_part,
)
from .published import (
    TABLES as TABLES,
    RunTables as RunTables,
    is_published as is_published,
    list_nights as list_nights,
    list_runs as list_runs,
    publish as publish,
    read_rows as read_rows,
    read_run as read_run,
)
from .row import (
    SCHEMA_VERSION as SCHEMA_VERSION,
    UNITS as UNITS,
    Column as Column,
    Row as Row,
    null_if_nan as null_if_nan,
    schema_of as schema_of,
)
from .rows_of_findings import (
    AgreementRow as AgreementRow,
    ComparisonRow as ComparisonRow,
    FinalRow as FinalRow,
    ModelRow as ModelRow,
    NightRow as NightRow,
    PictureRow as PictureRow,
    SearchRow as SearchRow,
    SummaryRow as SummaryRow,
)
from .rows_of_work import (
    EpochRow as EpochRow,
    RunRow as RunRow,
    TrainingRow as TrainingRow,
    TrialRow as TrialRow,
)
