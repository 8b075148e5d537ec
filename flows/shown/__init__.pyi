from .artifacts import (
    ProgressArtifact as ProgressArtifact,
    describe_failures as describe_failures,
    print_summary as print_summary,
    show_results as show_results,
)
from .events import (
    DRIFTED as DRIFTED,
    RESOURCE as RESOURCE,
    list_verdicts as list_verdicts,
    tag_flow_run as tag_flow_run,
    tagged as tagged,
    tell_night as tell_night,
)
from .progress import (
    ProgressView as ProgressView,
    SweepCounter as SweepCounter,
    SweepState as SweepState,
    TerminalProgress as TerminalProgress,
    print_table as print_table,
)
