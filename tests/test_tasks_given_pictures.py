"""Which pictures are meant by files, folders and patterns."""

from pathlib import Path

import pytest

from study.errors import InputError
from tasks.given_pictures import list_pictures


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.png", "a.JPG", "notes.txt", ".hidden.png", "deep/c.webp", ".cache/d.png", "odd[1].png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return tmp_path


def names(folder: Path, *given: str, leave_out: Path | None = None) -> list[str]:
    found = list_pictures([str(folder / each) for each in given], leave_out)
    return [each.path.relative_to(folder).as_posix() for each in found]


def test_a_folder_stands_for_the_pictures_below_it_by_name(folder: Path):
    assert names(folder, ".") == ["a.JPG", "b.png", "deep/c.webp", "odd[1].png"]
    assert not any(each.is_named for each in list_pictures([str(folder)]))


def test_a_pattern_stands_for_the_files_it_matches_at_any_depth(folder: Path):
    assert names(folder, "*.png") == ["b.png", "odd[1].png"]
    assert names(folder, "**/*.webp") == ["deep/c.webp"]


def test_a_file_with_a_patterns_characters_in_its_name_is_that_file(folder: Path):
    assert names(folder, "odd[1].png") == ["odd[1].png"]
    assert list_pictures([str(folder / "odd[1].png")])[0].is_named


def test_what_is_given_keeps_its_order(folder: Path):
    assert names(folder, "deep", "b.png", "a.JPG") == ["deep/c.webp", "b.png", "a.JPG"]


def test_a_named_file_is_taken_whatever_its_suffix_or_whether_it_is_there(folder: Path):
    assert names(folder, "notes.txt", "gone.png") == ["notes.txt", "gone.png"]


def test_the_overlays_own_folder_is_passed_over(folder: Path):
    assert names(folder, ".", leave_out=folder / "deep") == ["a.JPG", "b.png", "odd[1].png"]


def test_a_folder_without_pictures_is_answered_with_what_counts_as_one(tmp_path: Path):
    with pytest.raises(InputError, match=r"the folder has no picture; give one with files of .avif, .bmp, "):
        list_pictures([str(tmp_path)])


def test_a_pattern_that_matches_nothing_is_told(folder: Path):
    with pytest.raises(InputError, match=r"\*.tiff: no file matches this pattern; give one that does"):
        list_pictures([str(folder / "*.tiff")])


def test_a_name_that_no_file_can_have_is_left_to_the_reader():
    assert list_pictures(["x" * 300])[0].is_named
