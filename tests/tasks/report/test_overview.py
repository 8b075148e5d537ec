"""The report's first screen: what matters most, in a table and in short."""

import dataclasses

import pytest

from storage.tables.published import RunTables
from storage.tables.rows_of_findings import ComparisonRow
from tasks.report.overview import describe_run, find_spans, sum_up, tabulate_spans
from tests.rows import make_lab_tables, make_study
from tests.small_run import changed

STUDY = make_study()


@pytest.fixture(scope="module")
def tables() -> RunTables:
    return make_lab_tables(STUDY)


def _pair(tables: RunTables, exercise: int, first: float, second: float) -> ComparisonRow:
    pairs = {(row.exercise, row.first_value, row.second_value): row for row in tables.comparisons}
    return pairs[exercise, first, second]


def test_the_sweep_whose_means_lie_furthest_apart_comes_first(tables: RunTables):
    spans = find_spans(STUDY.sweeps, tables)
    assert [span.exercise.parameter for span in spans] == [
        "learning_rate", "epochs", "dense_units", "filters", "dropout"
    ]  # fmt: skip
    assert [span.range for span in spans] == sorted((span.range for span in spans), reverse=True)


def test_the_interval_is_of_the_highest_less_the_lowest_whichever_comes_first(tables: RunTables):
    rate, epochs, *_ = find_spans(STUDY.sweeps, tables)
    turned, straight = _pair(tables, 5, 0.01, 0.00001), _pair(tables, 4, 1, 20)
    assert rate.range == pytest.approx(-turned.difference)
    assert rate.interval == (-turned.high, -turned.low)
    assert epochs.range == pytest.approx(straight.difference)
    assert epochs.interval == (straight.low, straight.high)


def test_a_sweep_of_single_readings_has_no_interval_and_of_one_measured_setting_no_range(tables: RunTables):
    alone = dataclasses.replace(tables, comparisons=[])
    table = tabulate_spans(find_spans(STUDY.sweeps, alone))
    assert table is not None
    assert {row[2] for row in table.rows} == {"–"}
    one = [row for row in tables.summary if row.exercise == 2][:1]
    assert find_spans(STUDY.sweeps, dataclasses.replace(tables, summary=one)) == []
    assert tabulate_spans([]) is None


def test_in_short_it_says_what_matters_how_good_the_best_is_and_how_far_from_published(tables: RunTables):
    spans = find_spans(STUDY.sweeps, tables)
    best = changed(tables.summary[-1], mean_accuracy=0.918)
    words = sum_up(spans, best, "Ours are lower.")
    assert words.startswith(
        "Learning rate matters most: its settings differ by up to 16.2 points, epochs by "
    )
    assert words.endswith(
        " and dropout by 0.3. The best model reaches 91.80% on the test images. Ours are lower."
    )
    assert sum_up(spans[:1], None, "") == ""


def test_the_line_below_the_title_has_date_data_repeats_time_and_machine(tables: RunTables):
    assert describe_run(tables.run, STUDY.sweeps, has_published=True) == (
        "1 March 2026 · 60,000 training and 10,000 test images · 4 or 5 repeats a setting · 42 min 00 s on 2 "
        "lanes (CPU: A processor with two cores) · "
        "compared with the averages of the lab's report (“published”)"
    )
    assert " · 4 repeats a setting · " in describe_run(tables.run, STUDY.sweeps[2:3], has_published=False)
    assert "published" not in describe_run(tables.run, [], has_published=False)
