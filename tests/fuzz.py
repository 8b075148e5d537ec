"""How tests with drawn inputs run: each fixture once, and the same inputs in every run."""

from hypothesis import HealthCheck, settings

repeatable = settings(
    derandomize=True,  # what fails here fails everywhere
    database=None,
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
