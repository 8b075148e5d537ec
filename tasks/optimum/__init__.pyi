from .choose import (
    choose_optimum as choose_optimum,
    combine_best as combine_best,
    compare_candidates as compare_candidates,
    finals_of as finals_of,
)
from .search import (
    OptimumSearch as OptimumSearch,
    advance_search as advance_search,
    choose_finalists as choose_finalists,
    list_candidates as list_candidates,
    play_back as play_back,
)
