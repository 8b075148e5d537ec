"""The report's content, free of HTML and Markdown: made from one run's rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from storage.results import Results, is_local
from storage.tables import RunRow, RunTables
from study.conclusions import Answer, ChosenModel, answer_images, answer_model, answer_sweep
from study.spec import Exercise, ImagesExercise, OptimumExercise, Study, SweepExercise
from study.status import Published, RunStatus
from study.wording import count
from tasks.figures import NIGHTS, WHOLE_RUN, DrawnFigure
from tasks.report.agreement import AgainstPublished, describe_agreement
from tasks.report.facts import Line, explain_reading, list_facts
from tasks.report.model import tabulate_model
from tasks.report.nights import Nights, describe_nights
from tasks.report.optimum import answer_search, tabulate_finals, tabulate_search
from tasks.report.overview import describe_run, find_spans, sum_up, tabulate_spans
from tasks.report.settings import (
    Table,
    tabulate_candidates,
    tabulate_failures,
    tabulate_pairs,
    tabulate_sweep,
    tabulate_times,
)
from tasks.tables import Picture, kept_candidate, read_measured


@dataclass(frozen=True)
class Collapsible:
    """Further reading."""

    title: str
    pictures: tuple[Picture, ...]
    tables: tuple[Table, ...]


@dataclass(frozen=True)
class Section:
    """One exercise: its question, the answer and its evidence."""

    number: int
    title: str
    question: str
    answer: Answer
    pictures: tuple[Picture, ...]
    tables: tuple[Table, ...]
    folded: tuple[Collapsible, ...] = ()


@dataclass(frozen=True)
class Content:
    """The whole report."""

    title: str
    line: str
    """Date, data, repeats, time and machine."""
    in_short: str
    study_name: str
    run_id: str
    status: str
    failures: Table | None
    matters: Table | None
    reading: tuple[Line, ...]
    sections: tuple[Section, ...]
    published: AgainstPublished
    explanation: str
    pictures: tuple[Picture, ...]
    facts: tuple[Line, ...]
    cost_pictures: tuple[Picture, ...]
    nights: Nights | None
    night_pictures: tuple[Picture, ...]
    trials_path: str
    folder_name: str
    more_repeats: int
    """Twice the most repeats of a sweep: what makes an answer surer."""


@dataclass(frozen=True)
class Findings:
    """One published run with its figures, pictures and saved model."""

    study: Study
    tables: RunTables
    figures: Sequence[DrawnFigure]
    drawn: Sequence[Picture]
    chosen: ChosenModel | None

    @property
    def exercises(self) -> list[Exercise]:
        """Return the exercises that ran, in the order of the study."""
        ran = self.tables.run.exercises.split(",")
        return [each for each in self.study.exercises if str(each.number) in ran]

    @property
    def sweeps(self) -> list[SweepExercise]:
        """Return the sweeps that ran."""
        return [each for each in self.exercises if isinstance(each, SweepExercise)]

    @property
    def kept(self) -> str | None:
        """Return the name of the candidate kept on validation; None if there is none."""
        if self.chosen is not None:
            return self.chosen.candidate
        return kept_candidate(self.study, self.tables.trials)

    def figures_named(self, name: str) -> tuple[Picture, ...]:
        """Return the figure of a name, if it was drawn."""
        return _pictures([each for each in self.figures if each.name == name])


class _OfExercise(Protocol):
    """A row, a figure or a picture that belongs to an exercise."""

    @property
    def exercise(self) -> int: ...


OfExercise = TypeVar("OfExercise", bound=_OfExercise)


def _of(number: int, rows: Iterable[OfExercise]) -> list[OfExercise]:
    """Return what belongs to an exercise."""
    return [each for each in rows if each.exercise == number]


def compose(results: Results, findings: Findings) -> Content:
    """Make the report's content; figures of no exercise of the run go with the published readings."""
    study, tables = findings.study, findings.tables
    published = describe_agreement(tables.agreement)
    spans = find_spans(findings.sweeps, tables)
    optimum = study.optimum.number if study.optimum else None
    best = [row for row in tables.summary if row.exercise == optimum and row.setting == findings.kept]
    numbers = {WHOLE_RUN, NIGHTS, *(exercise.number for exercise in findings.exercises)}
    return Content(
        title=study.title,
        line=describe_run(tables.run, findings.sweeps, bool(tables.agreement)),
        in_short=sum_up(spans, best[0] if best else None, published.difference),
        study_name=study.name,
        run_id=tables.run.run_id,
        status=_describe_status(tables.run),
        failures=tabulate_failures(tables.trials),
        matters=tabulate_spans(spans),
        reading=explain_reading(study, tables),
        sections=tuple(_compose_section(exercise, findings) for exercise in findings.exercises),
        published=published,
        explanation=study.published.explanation if study.published and published.has_missed else "",
        pictures=_pictures([each for each in findings.figures if each.exercise not in numbers]),
        facts=list_facts(study, tables),
        cost_pictures=_pictures(_of(WHOLE_RUN, findings.figures)),
        nights=describe_nights(tables),
        night_pictures=_pictures(_of(NIGHTS, findings.figures)),
        trials_path=_name_trials(results),
        folder_name=results.folder.name if is_local(results.folder) else "",
        more_repeats=2 * max((sweep.repeats for sweep in findings.sweeps), default=1),
    )


def _name_trials(results: Results) -> str:
    trials = results.tables / "trials"
    return trials.relative_to(results.folder.parent).as_posix() if is_local(trials) else str(trials)


def answer_exercise(exercise: Exercise, findings: Findings) -> Answer:
    """Answer an exercise from the rows of its run."""
    tables = findings.tables
    if isinstance(exercise, SweepExercise):
        measured = read_measured(exercise.number, tables.trials, tables.epochs)
        return answer_sweep(exercise, findings.study.baseline, measured)
    if isinstance(exercise, ImagesExercise):
        return answer_images(bool(_of(exercise.number, tables.pictures)))
    if isinstance(exercise, OptimumExercise):
        return answer_search(exercise, findings.study, tables)
    return answer_model(findings.chosen)


def _compose_section(exercise: Exercise, findings: Findings) -> Section:
    number, answer = exercise.number, answer_exercise(exercise, findings)
    if isinstance(exercise, SweepExercise):
        return _compose_sweep(exercise, answer, findings)
    rows, drawn = findings.tables, _of(number, findings.drawn)
    pictures = (*drawn, *_pictures(_of(number, findings.figures)))
    chosen, tables, folded = findings.chosen, tuple[Table, ...](), tuple[Collapsible, ...]()
    if isinstance(exercise, OptimumExercise):
        trials, summary = _of(number, rows.trials), _of(number, rows.summary)
        tables = (tabulate_candidates(findings.study.baseline, trials, summary, findings.kept),)
        compared = tabulate_finals(_of(number, rows.finals))
        tables = tables if compared is None else (*tables, compared)
        searched = tabulate_search(findings.study, _of(number, rows.search))
        folded = () if searched is None else (Collapsible("Every candidate of the search", (), (searched,)),)
    elif chosen is not None and not isinstance(exercise, ImagesExercise):
        tables = tabulate_model(chosen)
    return Section(number, exercise.title, exercise.question, answer, pictures, tables, folded)


def _compose_sweep(exercise: SweepExercise, answer: Answer, findings: Findings) -> Section:
    number, tables = exercise.number, findings.tables
    summary = _of(number, tables.summary)
    published = [row for row in _of(number, tables.agreement) if row.kind == Published.CELL]
    pairs = tabulate_pairs(exercise, _of(number, tables.comparisons))
    folded = (
        Collapsible("Every pair of settings compared", (), () if pairs is None else (pairs,)),
        Collapsible("Learning curves", findings.figures_named(f"exercise-{number}-curves"), ()),
        Collapsible(
            "Time and convergence",
            findings.figures_named(f"exercise-{number}-convergence"),
            (tabulate_times(exercise, summary),),
        ),
    )
    folded_names = {each.name for fold in folded for each in fold.pictures}
    figures = [each for each in _of(number, findings.figures) if each.name not in folded_names]
    return Section(
        number,
        exercise.title,
        exercise.question,
        answer,
        _pictures(figures),
        (tabulate_sweep(exercise, summary, published),),
        tuple(each for each in folded if each.pictures or each.tables),
    )


def _describe_status(run: RunRow) -> str:
    trials, failed = run.trials, run.failed_trials
    if run.status == RunStatus.STOPPED_EARLY:
        return (
            f"STOPPED EARLY: {failed:,} of {count(trials, 'trial')} have no result, and nothing below is "
            f"complete. Why: {run.failures}."
        )
    if failed:
        return f"{failed:,} of {count(trials, 'trial')} FAILED; the numbers below are of the others."
    return f"Completed: {count(trials, 'trial')}, none failed."


def _pictures(figures: Sequence[DrawnFigure]) -> tuple[Picture, ...]:
    return tuple(Picture(each.name, each.exercise, each.caption, each.alt, each.png) for each in figures)
