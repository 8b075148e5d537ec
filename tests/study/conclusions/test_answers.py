import pytest

from study.conclusions.answers import answer_images, answer_model
from study.conclusions.chosen_model import Calibration, ChosenModel, SavedFile
from tests.rows import make_chosen_model


def _altered(**changes: object) -> ChosenModel:
    return make_chosen_model().model_copy(update=changes)


def test_a_saved_model_that_is_the_same_when_loaded_is_said_to_be():
    answer = answer_model(make_chosen_model())
    assert answer.headline == (
        "Saved and loaded again, the model gives the same outputs on every test image. Test image 0 is "
        "classified as Ankle boot [9] with 98.5%, which is right."
    )
    assert "Its commonest mistake is T-shirt/top taken for Shirt: 106 of 1,000." in answer.details


def test_a_saved_model_that_differs_when_loaded_is_said_to():
    answer = answer_model(_altered(files_agree=False, reloaded_test_accuracy=0.5))
    assert answer.headline.startswith("Not the same model: loaded again, its outputs differ")
    assert "its test accuracy is 50.00% instead of " in answer.headline


def test_a_saved_model_that_only_guesses_is_said_to():
    assert answer_model(_altered(test_accuracy=0.1)).short == (
        "The model does little more than guess: 10.00% of the test images are right where guessing one of 10 "
        "classes gives 10.00%."
    )


def test_a_wrong_prediction_is_called_wrong():
    image = make_chosen_model().new_image.model_copy(update={"predicted_class": "Sneaker"})
    answer = answer_model(_altered(new_image=image))
    assert answer.headline.endswith(
        "is classified as Sneaker [7] with 1.1%, which is wrong: it is Ankle boot."
    )


def test_the_new_image_has_the_probability_that_study_predict_gives():
    found = Calibration(temperature=2.0, fitted_on="validation", images=9, error_before=0.1, error_after=0.1)
    chosen = _altered(calibration=found)
    roots = [each**0.5 for each in (0.004, 0.011, 0.985)]
    assert chosen.new_probabilities[9] == pytest.approx(roots[2] / sum(roots), abs=1e-4)
    assert f"with {100 * roots[2] / sum(roots):.1f}%, which is right." in answer_model(chosen).headline


def test_a_model_without_mistakes_has_no_commonest_one():
    perfect = tuple(tuple(10 * (row == column) for column in range(10)) for row in range(10))
    assert answer_model(_altered(confusion=perfect)).details == ()


def test_a_run_without_a_saved_model_says_so():
    assert answer_model(None).headline == "No model was saved in this run."


def test_images_that_were_not_drawn_are_not_described():
    assert answer_images(drawn=False).headline == "The images were not drawn in this run."
    assert "28 by 28 pixels, of 10 classes" in answer_images(drawn=True).headline


@pytest.mark.parametrize(("temperature", "how"), [(1.5, "overconfident"), (0.5, "not sure enough")])
def test_how_far_probabilities_can_be_believed_is_told(temperature: float, how: str):
    found = Calibration(
        temperature=temperature, fitted_on="validation", images=9, error_before=0.04, error_after=0.01
    )
    assert answer_model(_altered(calibration=found)).details[-1] == (
        f"The model is {how}: its stated probabilities are off by 4.0 points on average. Here, as by study "
        f"predict, they are softened (temperature {temperature:.2f}), which leaves 1.0."
    )
    assert len(answer_model(_altered(calibration=None)).details) == 1


def test_a_saved_file_is_the_same_model_if_probabilities_and_classes_are_the_same():
    facts = {"name": "model.keras", "format": "Keras", "size_bytes": 1, "images": 10_000}
    same = SavedFile(**facts, largest_difference=1e-4, same_classes=10_000)
    assert same.agrees
    assert not same.model_copy(update={"largest_difference": 1.1e-4}).agrees
    assert not same.model_copy(update={"same_classes": 9_999}).agrees
