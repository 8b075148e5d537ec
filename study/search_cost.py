"""What a search cost, and what a grid of the same space would: by the cost model, scaled to what was seen."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from study.cost import Amount, CostModel, Shape, list_shapes
from study.search import Search
from study.setting import Hyperparameters, Setting
from study.spec import EngineName


@dataclass(frozen=True)
class Tried:
    """One candidate of a search: what it was, how it ended, and the seconds of one thread it took."""

    origin: str
    state: str
    hyperparameters: Hyperparameters
    epochs: int
    seconds: float


@dataclass(frozen=True)
class SearchCost:
    """Trainings, epochs and seconds of one thread, of a search and of a grid trained to the end."""

    trainings: int
    stopped: int
    free: int
    """Settings of sweeps that took part, and were trained for those."""
    epochs: int
    seconds: float
    grid_trainings: int
    grid_epochs: int
    grid_seconds: float


def measure_search(
    search: Search, baseline: Setting, tried: Sequence[Tried], amount: Amount, engine: EngineName
) -> SearchCost:
    """Add up a search, and predict the grid.

    The grid has each listed value and five of each range (`study.search.GRID_POINTS`), each training as long
    as the space allows. Its seconds are the cost model's, times what the search took over the same model.
    """
    own = [each for each in tried if each.origin == "suggested"]
    model = CostModel(engine=engine)
    expected = sum(each.epochs * model.epoch_seconds(each.hyperparameters, amount) for each in tried)
    taken = sum(each.seconds for each in tried)
    factor = taken / expected if expected else 1.0
    longest = search.budgets(baseline)[-1]
    grid = list(search.grid(baseline))
    alike = Counter(map(Shape.of, grid))
    seconds = sum(alike[Shape.of(each)] * model.epoch_seconds(each, amount) for each in list_shapes(grid))
    return SearchCost(
        trainings=len(own),
        stopped=sum(each.state in ("stopped", "diverged") for each in own),
        free=len(tried) - len(own),
        epochs=sum(each.epochs for each in own),
        seconds=sum(each.seconds for each in own),
        grid_trainings=len(grid),
        grid_epochs=len(grid) * longest,
        grid_seconds=factor * longest * seconds,
    )
