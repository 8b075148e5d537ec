from .bands import (
    Band as Band,
    BandVerdict as BandVerdict,
    Cell as Cell,
    Interval as Interval,
    Readings as Readings,
)
from .claims import ClaimVerdict as ClaimVerdict
from .data import (
    NAMED_SOURCES as NAMED_SOURCES,
    ArrayNames as ArrayNames,
    DataFound as DataFound,
    DataSlice as DataSlice,
)
from .exercises import (
    REDUCTION as REDUCTION,
    Exercise as Exercise,
    ImagesExercise as ImagesExercise,
    ModelExercise as ModelExercise,
    OptimumExercise as OptimumExercise,
    Range as Range,
    Search as Search,
    expected_epochs as expected_epochs,
    rungs_to as rungs_to,
)
from .network import (
    LAB_PARAMETERS as LAB_PARAMETERS,
    Network as Network,
    NetworkFile as NetworkFile,
    Parameter as Parameter,
    Value as Value,
    hash_sources as hash_sources,
    list_sources as list_sources,
)
from .published import (
    PublishedAverage as PublishedAverage,
    PublishedSource as PublishedSource,
    read_averages as read_averages,
    read_readings as read_readings,
)
from .run_start import (
    AS_WRITTEN as AS_WRITTEN,
    MAX_LANES as MAX_LANES,
    RUN_ID as RUN_ID,
    TIME_PATTERN as TIME_PATTERN,
    RunOptions as RunOptions,
    RunStart as RunStart,
    read_scheduler as read_scheduler,
    split_address as split_address,
)
from .setting import (
    Augmentation as Augmentation,
    Hyperparameters as Hyperparameters,
    Setting as Setting,
    learning_rate_at as learning_rate_at,
)
from .study import (
    NARROWED as NARROWED,
    EngineName as EngineName,
    Protocol as Protocol,
    Study as Study,
)
from .study_file import (
    adapt_study as adapt_study,
    choose_exercises as choose_exercises,
    is_path as is_path,
    list_studies as list_studies,
    read_study as read_study,
)
from .sweeps import (
    ExerciseBase as ExerciseBase,
    GridSweep as GridSweep,
    ParameterSweep as ParameterSweep,
    SweepExercise as SweepExercise,
    ZipSweep as ZipSweep,
)
