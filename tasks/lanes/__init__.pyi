from .cluster import ClusterLanes as ClusterLanes
from .devices import (
    Device as Device,
    choose_devices as choose_devices,
    usable_gpus as usable_gpus,
)
from .host import LaneHost as LaneHost
from .lanes import Lanes as Lanes
from .local import (
    InProcessLane as InProcessLane,
    LocalLanes as LocalLanes,
)
from .members import check_scheduler as check_scheduler
from .memory import fit_memory as fit_memory
from .process import (
    LanesClosed as LanesClosed,
    Progress as Progress,
    die_with_starter as die_with_starter,
    lane_name as lane_name,
    report_progress as report_progress,
)
