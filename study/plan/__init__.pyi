from .cost import (
    CALIBRATED_SPREAD as CALIBRATED_SPREAD,
    ENGINE_COSTS as ENGINE_COSTS,
    EVALUATION_BATCH as EVALUATION_BATCH,
    Amount as Amount,
    CostModel as CostModel,
    Speed as Speed,
    list_shapes as list_shapes,
    multiply_adds as multiply_adds,
    parameter_count as parameter_count,
    peak_bytes as peak_bytes,
    pooled_units as pooled_units,
)
from .failures import (
    Failures as Failures,
    describe_reasons as describe_reasons,
)
from .forecast import (
    Forecast as Forecast,
    FurtherTrainings as FurtherTrainings,
    Job as Job,
    SearchProgress as SearchProgress,
    makespan_bound as makespan_bound,
    simulate_makespan as simulate_makespan,
)
from .network_sizes import (
    Sizes as Sizes,
    network_of as network_of,
)
from .plan import (
    MAX_TASK_RUNS as MAX_TASK_RUNS,
    Plan as Plan,
    Training as Training,
    Trial as Trial,
    candidate_trials as candidate_trials,
    combination_trials as combination_trials,
    compile_plan as compile_plan,
    key_of as key_of,
    list_trials as list_trials,
    pack as pack,
    training_key as training_key,
    training_label as training_label,
)
from .predictor import Predictor as Predictor
from .remaining import (
    Expected as Expected,
    Phase as Phase,
    Remaining as Remaining,
    Running as Running,
    SpeedErrors as SpeedErrors,
    work_of as work_of,
)
