import re
from pathlib import Path

import pytest

from study.errors import InputError
from study.fashion_mnist import FASHION_IMAGES
from study.image_facts import ImageFacts
from study.spec import DataFound, DataSlice, read_study

FOUND = DataFound(
    images=ImageFacts(height=8, width=8, class_names=("a", "b")),
    train_count=50,
    test_count=20,
    sha256=("1", "2", "3", "4"),
)


def test_fashion_mnist_is_the_default_and_written_as_it_always_was():
    assert DataSlice.model_validate("fashion-mnist") == DataSlice()
    assert DataSlice().images == FASHION_IMAGES
    written = '{"train_images":2000,"test_images":10000,"held_out_images":10000}'
    assert DataSlice(train_images=2000).model_dump_json() == written


def test_a_source_is_a_name_or_a_path_from_the_studys_folder(tmp_path: Path):
    study = tmp_path / "mine.yaml"
    assert DataSlice.model_validate("mnist").located(study).source == "mnist"
    assert DataSlice.model_validate("set.npz").located(study).source == str(tmp_path / "set.npz")
    assert DataSlice(source="/set.npz", test="test.npz").located(study).test == str(tmp_path / "test.npz")


def test_what_was_found_fills_the_counts_that_are_not_given_and_survives_writing():
    data = DataSlice(source="set.npz", train_images=30).filled(FOUND)
    assert (data.train_images, data.test_images, data.held_out_images) == (30, 20, 5)
    assert data.images == FOUND.images
    assert DataSlice.model_validate_json(data.model_dump_json()) == data
    with pytest.raises(ValueError, match=r"data\.train_images: 51 is not allowed: there are 50"):
        DataSlice(source="set.npz", train_images=51).filled(FOUND)
    with pytest.raises(ValueError, match=r"set\.npz has not been read"):
        _ = DataSlice(source="set.npz").images


def test_the_studies_of_the_page_are_studies(tmp_path: Path):
    page = Path(__file__).parents[3] / "docs" / "own-data.md"
    whole, mapping = re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "pets.yaml").write_text(whole)
    (tmp_path / "digits.yaml").write_text(whole.replace("data: pets ", f"{mapping}# "))
    assert read_study(str(tmp_path / "pets.yaml")).data.source == str(tmp_path / "pets")
    assert len(read_study(str(tmp_path / "digits.yaml")).data.classes) == 10


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("{size: 28}", "data: size: only for other images than Fashion-MNIST; give their source, too"),
        ("{source: set.npz, size: 1}", "data.size[0]: 1 is not allowed: Input should be greater than"),
        ("{source: set.npz, clases: [a]}", "data.clases: unknown key 'clases' with value"),
        (
            "{source: set.npz, arrays: {images: a, labels: b, test_images: c}}",
            "test_images and test_labels belong",
        ),
        (
            "{source: set.npz, train_images: 0}",
            "data.train_images: 0 is not allowed: Input should be from 1 to",
        ),
        ("{source: set.npz, found: {}}", "data.found"),
        (
            "{train_images: 60001}",
            "data.train_images: 60001 is not allowed: Input should be from 100 to 60,000",
        ),
    ],
)
def test_a_mistake_is_one_line_with_field_value_and_what_is_allowed(tmp_path: Path, data: str, message: str):
    study = tmp_path / "mine.yaml"
    study.write_text(
        f"name: mine\ntitle: T\ndata: {data}\nexercises:\n"
        "  - {number: 1, kind: images, title: T, question: Q?}\n"
    )
    with pytest.raises(InputError) as refused:
        read_study(str(study))
    assert message in str(refused.value)
