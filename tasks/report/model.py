"""What the report says of the saved model: its files, its confidence, the new image."""

from study.conclusions import ChosenModel, SavedFile
from study.wording import percent
from tasks.report.settings import Table

_AGREES, _DIFFERS = "same outputs on every test image", "THE FILES' OUTPUTS DIFFER"


def tabulate_model(chosen: ChosenModel) -> tuple[Table, ...]:
    """Return the tables of the saved model."""
    tables = tabulate_files(chosen), tabulate_confidence(chosen), tabulate_image(chosen)
    return tuple(each for each in tables if each is not None)


def tabulate_files(chosen: ChosenModel) -> Table:
    """Tabulate the saved files, and whether each predicts the same when loaded again."""
    cells = tuple((each.name, each.format, _describe_loaded(each)) for each in chosen.saved)
    marked = frozenset(place for place, each in enumerate(chosen.saved) if not each.agrees)
    notes = ("Each was loaded in a process of its own. model_card.md beside them describes the model.",)
    return Table("Files saved", ("File", "Format", "Loaded again"), cells, notes, marked, has_words=True)


def _describe_loaded(saved: SavedFile) -> str:
    difference = f"largest difference of a probability {saved.largest_difference:.1e}"
    if not saved.agrees:
        return f"{_DIFFERS}: {difference}, same class on {saved.same_classes:,} of {saved.images:,}"
    return f"{_AGREES}, bit for bit" if saved.largest_difference == 0 else f"same classes, {difference}"


def tabulate_confidence(chosen: ChosenModel) -> Table | None:
    """Count the test images that reach a softened confidence, and the right ones; None if not known."""
    if not chosen.confidence:
        return None
    rows = tuple(
        (
            f"{each.least:.0%}",
            percent(each.sure / (each.sure + each.unsure), sign=False),
            percent(each.sure_right / each.sure if each.sure else None, sign=False),
            percent(each.unsure_right / each.unsure if each.unsure else None, sign=False),
        )
        for each in chosen.confidence
    )
    header = ("Confidence at least", "Images, %", "Accuracy of these, %", "Accuracy of the rest, %")
    return Table("Confidence and accuracy on the test images", header, rows)


def tabulate_image(chosen: ChosenModel) -> Table:
    """Return the new image's probability of each class, in the order of the classes."""
    title = f"Test image {chosen.new_image.test_index}: probability of each class"
    names = chosen.images.class_names
    rows = tuple(
        (f"{name} [{number}]", percent(probability, sign=False))
        for number, (name, probability) in enumerate(zip(names, chosen.new_probabilities, strict=True))
    )
    marked = frozenset({names.index(chosen.new_image.predicted_class)})
    return Table(title, ("Class", "Probability, %"), rows, marked=marked)
