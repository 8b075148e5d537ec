from .readings import (
    Curve as Curve,
    Measured as Measured,
    Read as Read,
    SettingId as SettingId,
    SettingReadings as SettingReadings,
    Sweep as Sweep,
    Times as Times,
    collapse_at as collapse_at,
    count_collapsed as count_collapsed,
)
from .record import (
    CONVERGENCE_PATIENCE as CONVERGENCE_PATIENCE,
    Epoch as Epoch,
    NetworkSize as NetworkSize,
    Segment as Segment,
    Source as Source,
    StopRule as StopRule,
    TrainingRecord as TrainingRecord,
    name_keras as name_keras,
    needs_more as needs_more,
)
