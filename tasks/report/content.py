"""The report's content, free of HTML and Markdown: made from one run's rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from storage.results import Results, is_local
from storage.tables import RunRow, RunTables
from study.conclusions import Answer, ChosenModel, answer_images, answer_model, answer_sweep, find_factors
from study.records import Measured
from study.spec import (
    Exercise,
    ExerciseBase,
    ImagesExercise,
    ModelExercise,
    OptimumExercise,
    Study,
    SweepExercise,
)
from study.status import Published, RunStatus
from study.wording import count
from tasks.figures import NIGHTS, WHOLE_RUN
from tasks.report.agreement import AgainstPublished, describe_agreement
from tasks.report.facts import Line, explain_reading, list_facts
from tasks.report.model import tabulate_model
from tasks.report.nights import Nights, describe_nights
from tasks.report.optimum import answer_search, tabulate_finals, tabulate_search
from tasks.report.overview import describe_run, find_spans, sum_up, tabulate_spans
from tasks.report.settings import (
    Table,
    tabulate_candidates,
    tabulate_factors,
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
    pictures: Sequence[Picture]
    tables: Sequence[Table]


@dataclass(frozen=True)
class Section:
    """One exercise: its question, the answer and its evidence."""

    exercise: ExerciseBase
    answer: Answer
    pictures: Sequence[Picture]
    tables: Sequence[Table]
    folded: Sequence[Collapsible] = ()


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
    facts: tuple[Line, ...]
    cost_pictures: Sequence[Picture]
    nights: Nights | None
    night_pictures: Sequence[Picture]
    trials_path: str
    folder_name: str
    more_repeats: int
    """Twice the most repeats of a sweep: what makes an answer surer."""


@dataclass(frozen=True)
class Findings:
    """One published run with its study as it ran, its pictures (figures are last) and its saved model."""

    study: Study
    tables: RunTables
    pictures: Sequence[Picture]
    chosen: ChosenModel | None


class _OfExercise(Protocol):
    """A row, a figure or a picture that belongs to an exercise."""

    @property
    def exercise(self) -> int: ...


OfExercise = TypeVar("OfExercise", bound=_OfExercise)


def _of(number: int, rows: Iterable[OfExercise]) -> list[OfExercise]:
    """Return what belongs to an exercise."""
    return [each for each in rows if each.exercise == number]


def compose(results: Results, findings: Findings) -> Content:
    """Make the report's content."""
    study, tables = findings.study, findings.tables
    published = describe_agreement(tables.agreement)
    spans = find_spans(study.sweeps, tables)
    candidates = _of(study.optimum.number, tables.summary) if study.optimum else []
    kept = kept_candidate(study, tables.trials)
    best = next((row for row in candidates if row.setting == kept), None)
    return Content(
        title=study.title,
        line=describe_run(tables.run, study.sweeps, bool(tables.agreement)),
        in_short=sum_up(spans, best, published.difference),
        study_name=study.name,
        run_id=tables.run.run_id,
        status=_describe_status(tables.run),
        failures=tabulate_failures(tables.trials),
        matters=tabulate_spans(spans),
        reading=explain_reading(study, tables),
        sections=tuple(_compose_section(exercise, findings) for exercise in study.exercises),
        published=published,
        explanation=study.published.explanation if study.published and published.has_missed else "",
        facts=list_facts(study, tables),
        cost_pictures=_of(WHOLE_RUN, findings.pictures),
        nights=describe_nights(tables),
        night_pictures=_of(NIGHTS, findings.pictures),
        trials_path=_name_trials(results),
        folder_name=results.folder.name if is_local(results.folder) else "",
        more_repeats=2 * max((sweep.repeats for sweep in study.sweeps), default=1),
    )


def _name_trials(results: Results) -> str:
    trials = results.tables / "trials"
    return trials.relative_to(results.folder.parent).as_posix() if is_local(trials) else str(trials)


def answer_exercise(exercise: Exercise, findings: Findings) -> Answer:
    """Answer an exercise from the rows of its run."""
    tables, images = findings.tables, findings.study.data.images
    if isinstance(exercise, SweepExercise):
        return answer_sweep(exercise, findings.study.baseline, _measure(exercise, findings))
    if isinstance(exercise, ImagesExercise):
        return answer_images(bool(_of(exercise.number, tables.pictures)), images)
    if isinstance(exercise, OptimumExercise):
        return answer_search(exercise, findings.study, tables)
    return answer_model(findings.chosen)


def _compose_section(exercise: Exercise, findings: Findings) -> Section:
    number, answer, rows = exercise.number, answer_exercise(exercise, findings), findings.tables
    if isinstance(exercise, SweepExercise):
        return _compose_sweep(exercise, answer, findings)
    tables, folded = list[Table](), list[Collapsible]()
    if isinstance(exercise, OptimumExercise):
        trials, summary = _of(number, rows.trials), _of(number, rows.summary)
        kept = kept_candidate(findings.study, trials)
        tables.append(tabulate_candidates(findings.study.baseline, trials, summary, kept))
        if compared := tabulate_finals(_of(number, rows.finals)):
            tables.append(compared)
        if searched := tabulate_search(findings.study, _of(number, rows.search)):
            folded.append(Collapsible("Every candidate of the search", [], [searched]))
    elif isinstance(exercise, ModelExercise) and findings.chosen is not None:
        tables += tabulate_model(findings.chosen)
    return Section(exercise, answer, _of(number, findings.pictures), tables, folded)


def _measure(exercise: SweepExercise, findings: Findings) -> Measured:
    tables, classes = findings.tables, findings.study.data.images.classes
    return read_measured(exercise.number, tables.trials, tables.epochs, classes)


def _compose_sweep(exercise: SweepExercise, answer: Answer, findings: Findings) -> Section:
    number, tables = exercise.number, findings.tables

    def drawn(name: str) -> list[Picture]:
        return [each for each in findings.pictures if each.name == f"exercise-{number}-{name}"]

    summary = _of(number, tables.summary)
    published = [row for row in _of(number, tables.agreement) if row.kind == Published.CELL]
    pairs = tabulate_pairs(exercise, _of(number, tables.comparisons))
    factors = find_factors(exercise, _measure(exercise, findings).readings)
    changes = tabulate_factors(exercise, factors) if factors else None
    folded = (
        Collapsible("Interaction, and each parameter on average", [], [changes] if changes else []),
        Collapsible("Every pair of settings compared", [], [pairs] if pairs else []),
        Collapsible("Learning curves", drawn("curves"), []),
        Collapsible("Time and convergence", drawn("convergence"), [tabulate_times(exercise, summary)]),
    )
    by_setting = tabulate_sweep(exercise, summary, published)
    shown = [each for each in folded if each.pictures or each.tables]
    return Section(exercise, answer, [*drawn("grid"), *drawn("accuracy")], [by_setting], shown)


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
