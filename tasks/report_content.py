"""What the report says, free of HTML and Markdown: made from one run's rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from storage.place import Results
from storage.tables import RunFrames
from study import answers
from study.answers import Answer
from study.chosen_model import ChosenModel
from study.published import BandVerdict, Cell, judge
from study.spec import Exercise, ImagesExercise, OptimumExercise, Study, SweepExercise
from study.sweep_answer import answer_sweep
from study.wording import count
from tasks.cost_figure import WHOLE_RUN
from tasks.figures import DrawnFigure
from tasks.history_figures import NIGHTS
from tasks.readings_of import read_candidates, read_sweep
from tasks.recorded import Picture
from tasks.report_facts import Line, list_facts
from tasks.report_nights import Nights, describe_nights
from tasks.report_tables import (
    Table,
    tabulate_candidates,
    tabulate_failures,
    tabulate_files,
    tabulate_image,
    tabulate_sweep,
    tabulate_verdicts,
)


@dataclass(frozen=True)
class Section:
    """One exercise: its question, the answer and what bears it out."""

    number: int
    title: str
    question: str
    answer: Answer
    pictures: tuple[Picture, ...]
    tables: tuple[Table, ...]


@dataclass(frozen=True)
class Content:
    """The whole report."""

    title: str
    study_name: str
    run_id: str
    status: str
    failures: Table | None
    sections: tuple[Section, ...]
    verdict: str
    verdicts: Table | None
    explanation: str
    pictures: tuple[Picture, ...]
    facts: tuple[Line, ...]
    cost_pictures: tuple[Picture, ...]
    nights: Nights | None
    night_pictures: tuple[Picture, ...]
    trials_path: str
    folder_name: str


@dataclass(frozen=True)
class Findings:
    """One published run and what was drawn and saved from it."""

    study: Study
    frames: RunFrames
    figures: Sequence[DrawnFigure]
    drawn: Sequence[Picture]
    chosen: ChosenModel | None

    @property
    def exercises(self) -> list[Exercise]:
        """The exercises that ran, in the order of the study."""
        ran = str(self.frames.run["exercises"]).split(",")
        return [each for each in self.study.exercises if str(each.number) in ran]

    @property
    def kept(self) -> str | None:
        """Name of the candidate kept on validation; None if there is none."""
        if self.chosen is not None or self.study.optimum is None:
            return self.chosen.candidate if self.chosen else None
        rows = self.rows("summary", self.study.optimum.number).dropna(subset="mean_validation_accuracy")
        best = rows.sort_values("mean_validation_accuracy", ascending=False, kind="stable")
        return None if best.empty else str(best["setting"].iloc[0])

    def drawn_of(self, exercise: int) -> tuple[Picture, ...]:
        """The pictures of images that belong to an exercise."""
        return tuple(each for each in self.drawn if each.exercise == exercise)

    def rows(self, table: str, exercise: int) -> pd.DataFrame:
        """An exercise's rows of a table."""
        frame: pd.DataFrame = getattr(self.frames, table)
        return frame[frame["exercise"] == exercise]


def compose(results: Results, findings: Findings) -> Content:
    """Make the report's content; figures of no exercise of the run go with the published readings."""
    study, frames = findings.study, findings.frames
    verdicts = judge(study.published, _means(findings))
    outside = any(verdict.inside is False for verdict in verdicts)
    numbers = {WHOLE_RUN, NIGHTS, *(exercise.number for exercise in findings.exercises)}
    return Content(
        title=study.title,
        study_name=study.name,
        run_id=str(frames.run["run_id"]),
        status=_describe_status(frames),
        failures=tabulate_failures(frames.trials),
        sections=tuple(_compose_section(exercise, findings) for exercise in findings.exercises),
        verdict=_count_verdicts(verdicts),
        verdicts=tabulate_verdicts(verdicts),
        explanation=study.published.explanation if study.published and outside else "",
        pictures=_pictures([each for each in findings.figures if each.exercise not in numbers]),
        facts=list_facts(study, frames),
        cost_pictures=_pictures([each for each in findings.figures if each.exercise == WHOLE_RUN]),
        nights=describe_nights(frames),
        night_pictures=_pictures([each for each in findings.figures if each.exercise == NIGHTS]),
        trials_path=(results.tables.relative_to(results.folder.parent) / "trials").as_posix(),
        folder_name=results.folder.name,
    )


def _compose_section(exercise: Exercise, findings: Findings) -> Section:
    trials, summary = findings.rows("trials", exercise.number), findings.rows("summary", exercise.number)
    figures = _pictures([each for each in findings.figures if each.exercise == exercise.number])
    pictures = (*findings.drawn_of(exercise.number), *figures)
    chosen, tables = findings.chosen, tuple[Table, ...]()
    if isinstance(exercise, ImagesExercise):
        answer = answers.answer_images(bool(findings.drawn_of(exercise.number)))
    elif isinstance(exercise, SweepExercise):
        readings = read_sweep(exercise.number, trials.to_dict("records"))
        answer = answer_sweep(exercise, readings, int(findings.frames.run["test_images"]))
        tables = (tabulate_sweep(exercise, summary),)
    elif isinstance(exercise, OptimumExercise):
        by_name = read_candidates(exercise.number, trials.to_dict("records"))
        answer = answers.answer_optimum(by_name, findings.kept, findings.study.protocol)
        tables = (tabulate_candidates(findings.study.baseline, trials, summary, findings.kept),)
    else:
        answer = answers.answer_model(chosen)
        tables = () if chosen is None else (tabulate_files(chosen), tabulate_image(chosen.new_image))
    return Section(exercise.number, exercise.title, exercise.question, answer, pictures, tables)


def _describe_status(frames: RunFrames) -> str:
    trials, failed = int(frames.run["trials"]), int(frames.run["failed_trials"])
    if frames.run["status"] == "stopped early":
        return (
            f"STOPPED EARLY: {failed:,} of {count(trials, 'trial')} have no result, and nothing below is "
            f"complete. Why: {frames.run['failures']}."
        )
    if failed:
        return f"{failed:,} of {count(trials, 'trial')} FAILED; the numbers below are of the others."
    return f"Completed: {count(trials, 'trial')}, none failed."


def _means(findings: Findings) -> dict[Cell, float]:
    """Mean accuracy in percent by exercise and value; that of the kept candidate under None."""
    known = findings.frames.summary.dropna(subset="mean_accuracy")
    optimum = findings.study.optimum
    means: dict[Cell, float] = {}
    for row in known.to_dict("records"):
        if not pd.isna(row["value"]):
            means[int(row["exercise"]), float(row["value"])] = 100 * float(row["mean_accuracy"])
        elif optimum and row["exercise"] == optimum.number and row["setting"] == findings.kept:
            means[optimum.number, None] = 100 * float(row["mean_accuracy"])
    return means


def _count_verdicts(verdicts: Sequence[BandVerdict]) -> str:
    if not verdicts:
        return "The study states no published readings to compare with."
    inside = sum(each.inside is True for each in verdicts)
    outside = sum(each.inside is False for each in verdicts)
    unmeasured = len(verdicts) - inside - outside
    rest = f", {unmeasured} not measured" if unmeasured else ""
    return f"Of {count(len(verdicts), 'band')} of agreement: {inside} inside, {outside} outside{rest}."


def _pictures(figures: Sequence[DrawnFigure]) -> tuple[Picture, ...]:
    return tuple(Picture(each.name, each.exercise, each.caption, each.alt, each.png) for each in figures)
