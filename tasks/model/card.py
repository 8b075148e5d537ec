"""The model card next to the exported files: the model's description, quality, origin and use."""

import json

import numpy as np

from storage.tables import TrialRow
from study.conclusions import ChosenModel, SavedFile
from study.fashion_mnist import FASHION_IMAGES
from study.spec import LAB_PARAMETERS
from study.wording import count, interval, listing, percent, plain, shortened, taken_for
from tasks.report import markdown_environment, tabulate_confidence, tidy_markdown

Lines = tuple[tuple[str, ...], ...]


def render_card(model: ChosenModel, trial: TrialRow, train_images: int, data: str = "Fashion-MNIST") -> str:
    """Return the card as Markdown; `train_images` are those of the study, those held out included.

    `data` is the name of the images.
    """
    confidence = tabulate_confidence(model)
    text = (
        markdown_environment()
        .get_template("model_card.md.j2")
        .render(
            model=model,
            headline=_describe_accuracy(model),
            classes=tabulate_classes(model),
            confused=[
                taken_for(each.true_class, each.predicted_class, each.images, each.of)
                for each in model.confused
            ],
            calibration=_describe_calibration(model),
            confidence=confidence.rows if confidence else (),
            made=_list_origin(model, trial, train_images),
            images=model.images,
            data=data,
            is_fashion=model.images == FASHION_IMAGES,
            stem=next(each for each in model.files if each.endswith(".keras")).removesuffix(".keras"),
            files=[_describe_file(each) for each in model.saved],
        )
    )
    return tidy_markdown(text)


def tabulate_classes(model: ChosenModel) -> Lines:
    """List name, test images, recall and precision (percent) of each class, in their order."""
    counts = np.array(model.confusion)
    predicted = counts.sum(axis=0)
    return tuple(
        (
            name,
            f"{counts[place].sum():,}",
            percent(_share(counts[place, place], counts[place].sum()), sign=False),
            percent(_share(counts[place, place], predicted[place]), sign=False),
        )
        for place, name in enumerate(model.images.class_names)
    )


def _describe_accuracy(model: ChosenModel) -> str:
    from statsmodels.stats.proportion import proportion_confint  # late, with SciPy: at a run's end

    counts = np.array(model.confusion)
    right, images = int(np.trace(counts)), int(counts.sum())
    low, high = proportion_confint(right, images, method="wilson")
    return (
        f"{percent(right / images)} of {images:,} test images (95% interval {interval(low, high)}, Wilson's, "
        "for which images happen to be in the test set). It is the accuracy of this one training, seed "
        f"{model.seed}, the best on validation of its setting's; the run's report has the mean over seeds."
    )


def _describe_calibration(model: ChosenModel) -> tuple[str, ...]:
    found = model.calibration
    if found is None:
        return ()
    return (
        f"The model is {'overconfident' if found.temperature > 1 else 'not sure enough'}: its expected "
        f"calibration error on the test images is {percent(found.error_before)}, and "
        f"{percent(found.error_after)} when its probabilities are softened by a temperature of "
        f"{found.temperature:.3f}, fitted on {found.images:,} images ({found.fitted_on}). The files "
        "give the probabilities as trained; study predict softens them. To do it yourself: raise each to the "
        "power of one over the temperature, divide by the sum.",
    )


def _list_origin(model: ChosenModel, trial: TrialRow, train_images: int) -> Lines:
    lacking = LAB_PARAMETERS if trial.network else ()
    setting = {name: each for name, each in model.setting.values.items() if each is not None}
    values = [
        f"{name} {plain(each)}"
        for name, each in setting.items()
        if not (name in lacking and not getattr(trial, name))
    ]
    held_out = trial.held_out_images
    trained = train_images - held_out
    validated = f"the {count(held_out, 'held-out training image')}" if held_out else "the test images"
    chosen = "" if held_out else " too, so the accuracy above tends to be high"
    versions = json.loads(trial.versions or "{}")
    return (
        (
            "Candidate",
            f"{model.candidate}, kept on validation accuracy ({percent(model.validation_accuracy)})",
        ),
        *([("Network", f"{trial.network}, SHA-256 {trial.network_sha256}")] if trial.network else []),
        ("Hyperparameters", listing(values)),
        ("Trained", f"{count(model.epochs_run, 'epoch')} on {count(trained, 'image')}, seed {model.seed}"),
        ("Chosen on", f"{validated}{chosen} (protocol {trial.protocol})"),
        ("Engine", trial.engine),
        (
            "Versions",
            listing([f"{name} {version}" for name, version in versions.items()] or ["not recorded"]),
        ),
        ("Commit", trial.git_commit or "not recorded"),
        ("Data", f"SHA-256 {trial.data_fingerprint}"),
        ("Training", f"key {model.key}; kept in trainings/{model.key} of the results"),
        ("Weights", f"SHA-256 {trial.weights_sha256}"),
    )


def _describe_file(saved: SavedFile) -> tuple[str, ...]:
    same = "all" if saved.same_classes == saved.images else f"{saved.same_classes:,} of {saved.images:,}"
    return (
        shortened(saved.name, 80),
        saved.format,
        f"{saved.size_bytes / 1e6:.2f}",
        f"{saved.largest_difference:.1e}" if saved.largest_difference else "0",
        same,
    )


def _share(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole else float("nan")
