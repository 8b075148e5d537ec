from .answers import (
    Answer as Answer,
    answer_images as answer_images,
    answer_model as answer_model,
)
from .changes import (
    NOT_RECORDED as NOT_RECORDED,
    Change as Change,
    Provenance as Provenance,
    list_facts as list_facts,
    name_changes as name_changes,
    read_changes as read_changes,
    write_changes as write_changes,
)
from .chosen_model import (
    MAX_EXAMPLES as MAX_EXAMPLES,
    Calibration as Calibration,
    ChosenModel as ChosenModel,
    Confidence as Confidence,
    ConfusedPair as ConfusedPair,
    NewImage as NewImage,
    SavedFile as SavedFile,
    calibrate_crosswise as calibrate_crosswise,
    calibration_error as calibration_error,
    fit_temperature as fit_temperature,
    soften as soften,
)
from .comparison import (
    compare_runs as compare_runs,
)
from .factors import (
    Factors as Factors,
    find_factors as find_factors,
)
from .night_words import (
    describe_changes as describe_changes,
    describe_night as describe_night,
    describe_verdict as describe_verdict,
    shorten_verdicts as shorten_verdicts,
)
from .nights import (
    MAX_RUNS as MAX_RUNS,
    NightReading as NightReading,
    Verdict as Verdict,
    compare_night as compare_night,
)
from .optimum_answer import (
    Candidates as Candidates,
    Finals as Finals,
    SearchCost as SearchCost,
    answer_optimum as answer_optimum,
    describe_search as describe_search,
    rank_finalists as rank_finalists,
)
from .replay import (
    Readings as Readings,
    Recipe as Recipe,
    Replay as Replay,
    judge as judge,
    why_not_trained as why_not_trained,
)
from .replication import (
    CellAgreement as CellAgreement,
    HeldClaim as HeldClaim,
    PooledDifference as PooledDifference,
    compare_with_published as compare_with_published,
)
from .sweep_answer import (
    answer_sweep as answer_sweep,
)
