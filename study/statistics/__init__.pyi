from .bootstrap import bootstrap_interval as bootstrap_interval
from .convergence import (
    compare_times as compare_times,
    median_time as median_time,
)
from .correction import correct as correct
from .difference import (
    SIGNIFICANCE as SIGNIFICANCE,
    Comparison as Comparison,
    Difference as Difference,
    Published as Published,
    contrast as contrast,
    judge_agreement as judge_agreement,
    paired as paired,
    pool_differences as pool_differences,
    pooled_deviation as pooled_deviation,
    welch as welch,
)
from .interaction import (
    SeedwiseChange as SeedwiseChange,
    average_effects as average_effects,
    find_interactions as find_interactions,
    reference_cell as reference_cell,
)
from .pairwise import (
    PairTest as PairTest,
    Pairwise as Pairwise,
    compare_pairs as compare_pairs,
)
from .power import POWER as POWER
from .summary import (
    sampling_error as sampling_error,
    summarise as summarise,
)
from .trend import (
    Trend as Trend,
    find_trend as find_trend,
    turning_point as turning_point,
)
