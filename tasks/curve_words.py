"""Caption and alt text of the learning curves of a sweep."""

from collections.abc import Sequence

from study.exercises import SweepExercise
from study.spec import Study
from study.wording import count, listing, plain
from tasks.curve_points import (
    SettingCurves,
    accuracy_span,
    loss_span,
    mean_line,
)
from tasks.figure_words import count_text
from tasks.parameter_axis import ParameterAxis

_MOST_TOLD = 8
"""An alt text that reads out more settings than this is listened to by nobody."""


def curve_words(
    study: Study, exercise: SweepExercise, axis: ParameterAxis, curves: Sequence[SettingCurves]
) -> tuple[str, str]:
    """Caption and alt text of the learning curves; `curves` holds at least one training."""
    sentences = [
        f"Validation accuracy and validation loss after each epoch, protocol {study.protocol}"
        + (": there the validation images are the test images." if study.protocol == "lab" else "."),
        _lines_note(study, exercise, curves),
        *_stop_notes(curves),
        *_far_notes(curves),
        *_failed_notes(curves),
    ]
    return " ".join(sentences), _describe(axis, curves)


def _lines_note(study: Study, exercise: SweepExercise, curves: Sequence[SettingCurves]) -> str:
    if exercise.reads_prefixes(study.baseline):
        number = count(len(curves[0].losses), "training")
        budgets = listing([plain(each) for each in sorted(exercise.values) if each <= curves[0].value])
        longer = [plain(each) for each in sorted(exercise.values) if each > curves[0].value]
        return (
            "Settings with fewer epochs read the first epochs of the same trainings, so there is one curve: "
            f"that of {plain(curves[0].value)} epochs. Thick line with dots: the mean of {number}; thin "
            f"lines: single trainings; there are no error bars. Dotted: where the settings read ({budgets})."
            + (f" No trial of {listing(longer)} epochs was completed." if longer else "")
        )
    counts = count_text([len(each.losses) for each in curves])
    return (
        f"Thick lines with markers: the mean over a setting's trainings ({counts}); thin lines: single "
        "trainings, in the colour of their setting; there are no error bars."
    )


def _stop_notes(curves: Sequence[SettingCurves]) -> list[str]:
    if all(each.reached == each.longest for each in curves):
        return []
    return [
        "Some trainings stopped early. A mean ends with the first of its trainings to do so: further on it "
        "would be one of fewer trainings, which early stopping chose. Only thin lines go on."
    ]


def _far_notes(curves: Sequence[SettingCurves]) -> list[str]:
    accuracy, loss = accuracy_span(curves), loss_span(curves)
    notes = []
    for setting in curves:
        low = [min(line) for line in setting.accuracies if accuracy.leaves_out(line)]
        high = [max(line) for line in setting.losses if loss.leaves_out(line)]
        total = len(setting.losses)
        told = [f"accuracy of {len(low)} of {total}, lowest {min(low):.1f}%"] if low else []
        told += [f"loss of {len(high)} of {total}, highest {max(high):.2g} nats"] if high else []
        if told:
            notes.append(f"at {plain(setting.value)}: {', '.join(told)}")
    if not notes:
        return []
    return [
        "Triangles at the edge: trainings far from the rest, off the axis from there "
        f"({'; '.join(notes)}). No mean is drawn where it would hold such a training."
    ]


def _failed_notes(curves: Sequence[SettingCurves]) -> list[str]:
    failed = [f"{each.failed} at {plain(each.value)}" for each in curves if each.failed]
    return [f"Failed trials, not drawn: {', '.join(failed)}."] if failed else []


def _describe(axis: ParameterAxis, curves: Sequence[SettingCurves]) -> str:
    """Say where the means end: all of them, or of many the first, the last and the highest."""
    known, heading = [each for each in curves if each.losses], "Means at their ends"
    if len(known) > _MOST_TOLD:
        best = max(known, key=lambda each: mean_line(each.accuracies)[-1])
        known = [each for each in known if each in (known[0], known[-1], best)]
        heading = "Means at their ends, of the first, the last and the most accurate setting"
    ends = [
        f"{mean_line(each.accuracies)[-1]:.1f}% and {mean_line(each.losses)[-1]:.3g} nats "
        f"at {plain(each.value)} (epoch {each.reached})"
        for each in known
    ]
    return (
        f"Learning curves by {axis.noun}: validation accuracy on the left, validation loss on the right, "
        f"over {count(max(each.longest for each in curves), 'epoch')}. {heading}: {', '.join(ends)}."
    )
