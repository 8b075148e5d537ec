from .plan import (
    compare_sharing as compare_sharing,
    find_data as find_data,
    forecast_plan as forecast_plan,
    load_data as load_data,
    make_predictor as make_predictor,
    plan_ahead as plan_ahead,
    plan_study as plan_study,
    predict as predict,
    predict_jobs as predict_jobs,
    refer_to_data as refer_to_data,
)
from .replay import (
    choose_rows as choose_rows,
    read_recipes as read_recipes,
    retrain as retrain,
    sort_out as sort_out,
)
from .train_on_lanes import (
    Diverged as Diverged,
    obtain_weights as obtain_weights,
    train as train,
    train_batch as train_batch,
)
