from .artifacts import (
    ProgressArtifact as ProgressArtifact,
    describe_failures as describe_failures,
    print_summary as print_summary,
    show_report as show_report,
)
from .events import (
    DRIFTED as DRIFTED,
    RESOURCE as RESOURCE,
    WAITS_FOR as WAITS_FOR,
    list_verdicts as list_verdicts,
    tag_flow_run as tag_flow_run,
    tagged as tagged,
    tell_night as tell_night,
    without_waiting as without_waiting,
)
from .progress import (
    ProgressView as ProgressView,
    SweepCounter as SweepCounter,
    SweepState as SweepState,
    TerminalProgress as TerminalProgress,
    print_table as print_table,
)
