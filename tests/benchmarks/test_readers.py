"""The readers' benchmark, in small: `docs/reading.md` has the figures of the whole one."""

from pathlib import Path

import pytest

from benchmarks.answering import measure
from benchmarks.readers import make_results
from storage.results import open_results
from study.spec.study_file import read_study
from tests.many_nights import ManyNights


@pytest.mark.parametrize("layout", ["history", "tables"])
def test_an_answer_is_measured_in_either_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str):
    results = open_results(tmp_path / "results")
    told = list(make_results(results, ManyNights(read_study("lab").only(frozenset({3}))), 4))
    assert len(told) == 5
    monkeypatch.chdir(tmp_path)
    figures = measure(1, "pandas", layout)
    assert figures["rows"] == 5
    assert min(figures.values()) > 0
