from .columns import (
    columns_of as columns_of,
    hyperparameter_columns as hyperparameter_columns,
)
from .findings import (
    compare_nights as compare_nights,
    compare_run_with_published as compare_run_with_published,
    compare_settings as compare_settings,
)
from .publish import (
    RunFacts as RunFacts,
    publish_run as publish_run,
)
from .readings import (
    completed_candidates as completed_candidates,
    kept_candidate as kept_candidate,
    read_candidates as read_candidates,
    read_curve as read_curve,
    read_measured as read_measured,
    read_searched as read_searched,
    read_setting as read_setting,
    read_trials as read_trials,
)
from .recorded import (
    CONFUSED as CONFUSED,
    FIRST_NINE as FIRST_NINE,
    Picture as Picture,
    describe_pictures as describe_pictures,
    list_models as list_models,
    list_pictures as list_pictures,
    read_averages_of as read_averages_of,
    read_model as read_model,
    read_study_of as read_study_of,
    restore_pictures as restore_pictures,
)
from .rows import (
    Outcome as Outcome,
    RunContext as RunContext,
    aggregate_trials as aggregate_trials,
    list_epochs as list_epochs,
    list_trainings as list_trainings,
)
from .summaries import summarise_trials as summarise_trials
