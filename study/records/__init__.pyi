from .readings import (
    COLLAPSED as COLLAPSED,
    Read as Read,
    SettingId as SettingId,
    SettingReadings as SettingReadings,
    Sweep as Sweep,
    count_collapsed as count_collapsed,
)
from .record import (
    Epoch as Epoch,
    Reading as Reading,
    Segment as Segment,
    Source as Source,
    TrainingRecord as TrainingRecord,
)
from .stopping import (
    CONVERGENCE_PATIENCE as CONVERGENCE_PATIENCE,
    StopRule as StopRule,
    needs_more as needs_more,
)
