import dataclasses
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import markdown
import numpy as np
import pandas as pd
import pytest

from storage.results import Results
from storage.tables.published import RunTables, publish
from storage.tables.rows_of_work import TrialRow
from study.conclusions.chosen_model import ChosenModel
from study.spec.published import read_averages
from study.spec.study import Study
from tasks.figures.nights import NIGHTS
from tasks.figures.sweeps import DrawnFigure
from tasks.report.report import Report, write_report
from tests.rows import (
    RUN_ID,
    FailedTrial,
    make_agreement,
    make_chosen_model,
    make_comparisons,
    make_epochs,
    make_models,
    make_nights,
    make_pictures,
    make_run,
    make_study,
    make_summary,
    make_trainings,
    make_trials,
)
from tests.small_run import changed

VOID = {"meta", "link", "br", "img"}


class _Page(HTMLParser):
    """Keeps the text, every address that is pointed to, and the tags left open."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.alts: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        if tag not in VOID:
            self.open.append(tag)
        self.addresses += [value for name, value in attributes if name in ("src", "href", "srcset")]
        self.alts += [dict(attributes).get("alt", "")] if tag == "img" else []

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def _tables(
    study: Study, failed: tuple[FailedTrial, ...] = (), trials: Sequence[TrialRow] | None = None
) -> RunTables:
    trials = make_trials(study, failed=failed) if trials is None else trials
    return RunTables(
        make_run(study, trials),
        trials,
        make_trainings(study),
        make_epochs(study),
        make_summary(trials, read_averages(study.published)),
        comparisons=make_comparisons(study, trials),
        agreement=make_agreement(study, trials),
    )


def _picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((20, 30), 255, np.uint8))
    return path


def _figure(results: Results, exercise: int) -> DrawnFigure:
    png = _picture(results.figures(RUN_ID) / f"exercise-{exercise}-accuracy.png")
    return DrawnFigure(f"exercise-{exercise}-accuracy", exercise, "Its caption.", "Its alt text.", png, png)


def _night(study: Study, verdicts: dict[int, str]) -> RunTables:
    return dataclasses.replace(_tables(study), nights=make_nights(verdicts, by=-0.005))


def _write(
    folder: Path,
    study: Study,
    tables: RunTables | None = None,
    chosen: ChosenModel | None = None,
) -> Report:
    results = Results(folder / "results")
    figures = [_figure(results, exercise.number) for exercise in study.sweeps]
    tables = tables or _tables(study)
    if study.images:
        sheet = _picture(folder / "drawn" / "sheet.png")
        tables = dataclasses.replace(tables, pictures=make_pictures(study, sheet))
    if chosen is not None:
        tables = dataclasses.replace(tables, models=make_models(chosen))
    return write_report.fn(results, study, tables, figures)


def _read(*arguments: Any, **keywords: Any) -> str:
    """The Markdown of the report that `_write` writes."""
    return _write(*arguments, **keywords).markdown.read_text("utf-8")


def _read_both(*arguments: Any) -> tuple[str, tuple[str, str]]:
    """The HTML of the page that `_write` writes, and the words of the page and of the Markdown."""
    report = _write(*arguments)
    html = report.html.read_text("utf-8")
    return html, (_Page(html).text, report.markdown.read_text("utf-8"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return _write(tmp_path_factory.mktemp("whole"), make_study(), chosen=make_chosen_model())


@pytest.fixture(scope="module")
def page(whole: Report) -> _Page:
    return _Page(whole.html.read_text("utf-8"))


@pytest.fixture(scope="module")
def text(whole: Report) -> str:
    return whole.markdown.read_text("utf-8")


def _flat(text: str) -> str:
    return " ".join(text.split())


def test_the_page_needs_nothing_from_outside(whole: Report, page: _Page):
    html = whole.html.read_text("utf-8")
    assert "http:" not in html and "https:" not in html and "url(" not in html and "@import" not in html
    assert all(address.startswith(("data:", "#")) for address in page.addresses)


def test_the_page_closes_what_it_opens_and_its_links_lead_somewhere(whole: Report, page: _Page):
    html = whole.html.read_text("utf-8")
    assert page.open == []
    inner = [address[1:] for address in page.addresses if address.startswith("#")]
    assert len(inner) == 9
    assert all(f'id="{name}"' in html for name in inner)


def test_every_exercise_has_its_question_in_both_files(page: _Page, text: str):
    for exercise in make_study().exercises:
        assert exercise.question in page.text
        assert exercise.question in text


def test_every_picture_has_words_for_those_who_cannot_see_it(page: _Page):
    assert len(page.alts) == 6
    assert all(page.alts)


def test_markdown_links_its_pictures_beside_it(whole: Report, text: str):
    links = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert "figures/first-nine.png" in links
    assert all((whole.markdown.parent / link).is_file() for link in links)


def test_markdown_makes_the_same_tables_as_the_page(whole: Report, text: str):
    rendered = markdown.markdown(text, extensions=["tables", "fenced_code"])
    html = whole.html.read_text("utf-8")
    assert rendered.count("<tr>") == html.count("<tr")
    assert "|" not in re.sub(r"<code.*?</code>", "", rendered, flags=re.DOTALL)


def test_the_text_for_prefects_pages_has_the_pictures_in_it(tmp_path: Path):
    study = make_study()
    results = Results(tmp_path)
    figures = [_figure(results, 2)]
    text = write_report.fn(results, study, _tables(study), figures).text
    assert re.findall(r"!\[.*?\]\((.{22})", text) == ["data:image/png;base64,"]
    assert "Its caption." in text


def test_a_run_without_failures_says_that_it_completed_and_nothing_of_nights(page: _Page, text: str):
    assert "Completed: 116 trials, none failed." in page.text
    assert "**Completed: 116 trials, none failed.**" in text
    for absent in ("Failed trials", "The nights"):
        assert absent not in page.text
        assert absent not in text


def test_failures_come_first_and_with_their_reason(tmp_path: Path):
    study = make_study()
    html, texts = _read_both(tmp_path, study, _tables(study, ((2, 64.0, 1), (5, 0.1, 2))))
    for text in texts:
        assert "2 of 116 trials FAILED" in text
        assert text.index("KilledWorker: lane 0 died 4 times") < text.index("In short:")
        assert "filters=64, repeat 1" in text
        assert "4 (1 failed)" in text
    assert 'class="status failed" role="alert"' in html


def test_what_holds_for_all_numbers_is_said_once(text: str):
    for words in ("Student's t over seeds", "Games and Howell", "roughly normal", "has converged when"):
        assert text.count(words) == 1
    assert "would shift all accuracies together, by about 0.3 points" in text
    assert "also the validation images" in text.partition("## Exercise 1")[0]


def test_the_words_outside_tables_and_captions_can_be_read_in_ten_minutes(whole: Report):
    html = re.sub(r"<(style|table|figure|pre)\b.*?</\1>", "", whole.html.read_text("utf-8"), flags=re.DOTALL)
    assert len(_Page(html).text.split()) < 2300


def test_the_published_part_says_how_far_and_names_what_is_contradicted(text: str):
    found = (
        r"on average \d\.\d points below the published ones \(95% interval .+\): ours are lower in 26 of 26"
    )
    assert re.search(found, text)
    assert "1 is contradicted (64 dense units are best) and 4 are undecided" in text


def test_an_exercise_whose_trials_all_failed_is_still_reported(tmp_path: Path):
    study = make_study().only(frozenset({2}))
    failed = tuple((2, float(value), repeat) for value in (8, 16, 32, 64, 128) for repeat in range(1, 6))
    text = _read(tmp_path, study, _tables(study, failed))
    assert "25 of 25 trials FAILED" in text
    assert "No conclusion: every trial failed." in text
    assert "nan" not in text.lower()


def test_a_study_of_one_exercise_has_one_section(tmp_path: Path):
    study = make_study().only(frozenset({4}))
    text = _read(tmp_path, study)
    assert re.findall(r"^## Exercise (\d)", text, re.MULTILINE) == ["4"]
    assert "matters most:" not in text
    assert "6 are not measured" in text


def test_a_study_without_published_values_has_no_columns_for_them(tmp_path: Path):
    study = make_study().model_copy(update={"published": None})
    text = _read(tmp_path, study)
    assert "The study states no published readings to compare with." in text
    assert "Published, %" not in text
    assert "outside" not in text


def test_the_explanation_stands_only_where_something_published_is_missed(tmp_path: Path):
    published = make_study().published
    assert published is not None
    baseline = ((2, 32.0), (3, 16.0), (4, 5.0), (5, 0.01))
    low = make_trials(make_study(), readings=dict.fromkeys(baseline, (0.80, 0.801, 0.802, 0.803, 0.8015)))
    missed = _read(tmp_path, make_study(), _tables(make_study(), trials=low))
    assert re.search(r"\*\*80\.15% \(80\.01 to 80\.29\)\*\* \| \*\*outside\*\*", missed)
    assert _flat(published.explanation) in _flat(missed)
    study = make_study().only(frozenset({4}))
    near = {
        cell: tuple(average.accuracy + each for each in (0.001, -0.001, 0.002, -0.002))
        for cell, average in read_averages(published).items()
    }
    met = _tables(study, trials=make_trials(study, readings=near))
    assert published.explanation not in _read(tmp_path, study, met)


def test_without_a_saved_model_the_candidate_kept_is_the_best_on_validation(tmp_path: Path):
    text = _read(tmp_path, make_study())
    assert "combination (kept)" in text
    assert "No model was saved in this run." in text


def test_files_that_differ_when_loaded_are_said_to_differ(tmp_path: Path):
    chosen = make_chosen_model()
    saved = tuple(each.model_copy(update={"same_classes": 9_000}) for each in chosen.saved)
    chosen = chosen.model_copy(update={"files_agree": False, "saved": saved})
    text = _read(tmp_path, make_study(), chosen=chosen)
    assert "THE FILES' OUTPUTS DIFFER" in text
    assert "same outputs on every test image" not in text


def test_markup_in_a_study_is_shown_and_not_obeyed(tmp_path: Path):
    title = "<script>alert(1)</script> & [a](b) | *c*"
    study = make_study().only(frozenset({2})).model_copy(update={"title": title})
    report = _write(tmp_path, study)
    html = report.html.read_text("utf-8")
    assert "<script>" not in html
    assert title in _Page(html).text
    rendered = markdown.markdown(report.markdown.read_text("utf-8"), extensions=["tables"])
    assert "<script>" not in rendered and "<em>c</em>" not in rendered and 'href="b"' not in rendered


@pytest.mark.parametrize(
    ("run", "reason", "said"),
    [
        ({}, "first | line\nsecond", "first \\| line second |"),
        ({}, None, "| filters=8, repeat 1 | 2 | 4 | not recorded |"),
        ({"git_dirty": True}, None, ", with uncommitted changes."),
        ({"git_commit": None, "git_dirty": None}, None, "commit not recorded."),
        ({"lane_seconds": 0.0}, None, "to 48 min 00 s; nothing was trained."),
    ],
)
def test_what_a_run_recorded_and_what_it_did_not_is_said(
    tmp_path: Path, text: str, run: dict[str, object], reason: str | None, said: str
):
    study = make_study().only(frozenset({2}))
    tables = _tables(study, ((2, 8.0, 1),))
    trials = [changed(trial, reason=reason) for trial in tables.trials]
    tables = dataclasses.replace(tables, trials=trials, run=changed(tables.run, **run))
    assert said in _read(tmp_path, study, tables)
    assert said not in text


def test_the_held_out_protocol_is_told_from_the_lab_one(tmp_path: Path, text: str):
    assert "the test images are also the validation images" in text
    assert "slightly optimistic" in text
    study = make_study().model_copy(update={"protocol": "held-out"})
    held_out = _read(tmp_path, study)
    assert "Trained on 50,000 images; 10,000 others are set aside for validation" in held_out
    assert "slightly optimistic" not in held_out


def test_predicted_and_actual_times_stand_side_by_side(text: str):
    assert "40 min 00 s before it ran, 95% interval 33 min 20 s to 48 min 00 s" in text
    assert "the wall time was 5% longer" in text
    assert "predicted 1 h 18 min, took 1 h 21 min" in text
    assert "within 1.2% of the best possible schedule" in text


def test_a_night_like_the_earlier_ones_says_so_in_one_line(tmp_path: Path):
    study = make_study().only(frozenset({2, 3}))
    html, texts = _read_both(tmp_path, study, _night(study, {2: "identical", 3: "identical"}))
    for text in texts:
        assert "Against earlier runs: identical in 2 exercises." in text
        assert "Nothing recorded changed since run 20260228-120000-abcd." in text
    assert 'role="alert"' not in html
    assert 'href="#nights"' in html and 'id="nights"' in html


def test_a_drift_stands_out_with_its_exercise_and_what_changed(tmp_path: Path):
    study = make_study().only(frozenset({2, 3}))
    html, texts = _read_both(tmp_path, study, _night(study, {2: "drifted", 3: "identical"}))
    for text in texts:
        assert "Against earlier runs: DRIFTED 2; identical 3." in text
        assert "Exercise 2: Changed since run 20260228-120000-abcd: TensorFlow: 2.21.0 → 2.22.0." in text
        assert "Exercise 3: Nothing recorded changed since run 20260228-120000-abcd." in text
        assert "−0.50" in text and "1e-05" in text
    assert 'class="status failed" role="alert"' in html
    assert '<tr class="marked"><th scope="row">2</th><td data-label="Verdict">DRIFTED</td>' in html
    assert _Page(html).open == []


def test_a_first_night_is_compared_with_nothing(tmp_path: Path):
    study = make_study().only(frozenset({2, 3}))
    text = _read(tmp_path, study, _night(study, {2: "first", 3: "no reading"}))
    assert "Against earlier runs: no reading 3; first 2." in text
    assert "| 2 | first | 0 of 25 trials | – | – | – | – |" in text
    assert "Changed since" not in text and "nan" not in text.lower()


def test_the_figures_of_the_nights_stand_in_their_own_section(tmp_path: Path):
    study = make_study().only(frozenset({2}))
    results, tables = Results(tmp_path), _night(study, {2: "identical"})
    figure = dataclasses.replace(_figure(results, NIGHTS), caption="Night after night.")
    text = write_report.fn(results, study, tables, [figure]).markdown.read_text("utf-8")
    before, _, after = text.partition("## The nights")
    assert "Night after night." in after.partition("## How it was run")[0]
    assert "Night after night." not in before


def test_the_lines_for_readers_run_as_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    study = make_study().only(frozenset({2}))
    tables = _tables(study)
    publish(Results(tmp_path / "results"), tables)
    text = _read(tmp_path, study, tables)
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert code is not None
    monkeypatch.chdir(tmp_path)
    *first, last = code[1].strip().splitlines()
    names: dict[str, object] = {}
    exec("\n".join(first), names)
    table = eval(last, names)
    assert isinstance(table, pd.DataFrame)
    assert table["count"].tolist() == [5] * 5
