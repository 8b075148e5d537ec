"""The readers' benchmark, in small: `docs/reading.md` has the figures of the whole one."""

import pytest

from benchmarks.answering import measure
from benchmarks.readers import make_results, tabulate_sizes
from storage.results import Results, open_results
from storage.tables.published import list_runs
from study.spec.study_file import read_study
from tests.many_nights import ManyNights

NIGHTS = 4


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, list[str]]:
    """The results of some nights, and what was told of making them."""
    results = open_results(tmp_path_factory.mktemp("readers") / "results")
    nights = ManyNights(read_study("lab").only(frozenset({3})))
    return results, list(make_results(results, nights, NIGHTS))


def test_nights_are_published_under_the_ids_of_successive_days(made: tuple[Results, list[str]]):
    assert [run.run_id for run in list_runs(made[0])] == [
        f"2024010{day}T020000Z-lab-0000abcd" for day in range(1, NIGHTS + 1)
    ]
    assert len(made[1]) == 5


def test_sizes_count_a_file_for_each_run_in_tables_and_for_each_month_in_the_history(
    made: tuple[Results, list[str]],
):
    cells = [line.split(" | ") for line in "\n".join(tabulate_sizes(made[0])).splitlines()[2:]]
    files = {row[0].strip("| "): (row[2], row[4].strip(" |")) for row in cells}
    assert files["epochs"] == (f"{NIGHTS}", "1")
    assert files["all"] == (f"{12 * NIGHTS}", "12")


@pytest.mark.parametrize("layout", ["history", "tables"])
def test_an_answer_is_measured_in_either_layout(
    made: tuple[Results, list[str]], monkeypatch: pytest.MonkeyPatch, layout: str
):
    monkeypatch.chdir(made[0].folder.parent)
    figures = measure(1, "pandas", layout)
    assert figures["rows"] == 5
    assert min(figures.values()) > 0
