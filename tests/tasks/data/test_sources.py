"""The chain of sources: the first that has the dataset is used, and every failure is told."""

import gzip
import logging
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from storage.dataset_files import DatasetArrays, ExpectedDataset, read_cache, read_idx_folder
from study.errors import InputError
from tasks.data.sources import (
    Source,
    default_sources,
    fetch_debian_package,
    fetch_with_keras,
    read_first,
    read_given_folder,
)
from tests.storage.test_dataset_files import ARRAYS, EXPECTED, idx_bytes, write_idx_folder


def never(expected: ExpectedDataset) -> DatasetArrays:
    """Be a source that must not be asked."""
    raise AssertionError("this source must not be tried")


def out_of_order(expected: ExpectedDataset) -> DatasetArrays:
    """Be a source that fails."""
    raise InputError("no answer")


def test_sources_are_tried_in_the_documented_order(tmp_path: Path) -> None:
    assert [source.name for source in default_sources(tmp_path)] == [
        "cache",
        "Debian's package, installed",
        "Keras's download",
        "Debian's package, fetched",
    ]


def test_first_source_that_has_the_dataset_is_used_and_an_absent_one_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    folder = write_idx_folder(tmp_path / "idx", ARRAYS)
    sources = (
        Source("cache", partial(read_cache, tmp_path)),
        Source("folder", partial(read_idx_folder, folder)),
        Source("network", never),
    )
    arrays, name = read_first(sources, EXPECTED)
    assert name == "folder"
    assert np.array_equal(arrays.train_images, ARRAYS.train_images)
    message = f"no dataset from cache: {tmp_path}/train-images.npy: no such file"
    assert caplog.record_tuples == [("tasks.data.sources", logging.INFO, message)]


def test_failure_of_every_source_names_each_reason_and_what_to_do(tmp_path: Path) -> None:
    sources = (Source("cache", partial(read_cache, tmp_path)), Source("network", out_of_order))
    message = (
        f"no source has the dataset; tried: cache ({tmp_path}/train-images.npy: no such file);"
        " network (no answer). Run `study data --data FOLDER` with a folder of the files"
        " train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz,"
        " t10k-labels-idx1-ubyte.gz, or `apt install dataset-fashion-mnist`"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        read_first(sources, EXPECTED)


def test_given_folder_without_a_file_says_what_to_do(tmp_path: Path) -> None:
    folder = write_idx_folder(tmp_path, ARRAYS)
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    message = (
        r": found no t10k-labels-idx1-ubyte \(with or without .gz\), expected .*;"
        r" put the published file there, or leave --data out and the dataset is fetched$"
    )
    with pytest.raises(InputError, match=message):
        read_given_folder(folder, EXPECTED)


def fill_keras_home(home: Path) -> Path:
    """Put the small dataset where Keras keeps what it fetched, so that it fetches nothing."""
    return write_idx_folder(home / "datasets" / "fashion-mnist", ARRAYS)


def test_keras_gives_the_dataset_without_tensorflow_in_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    fill_keras_home(tmp_path)
    arrays = fetch_with_keras(EXPECTED)
    assert all(np.array_equal(*pair) for pair in zip(arrays, ARRAYS, strict=True))
    assert not any(isinstance(array, np.memmap) for array in arrays)


def test_file_that_keras_left_damaged_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    path = fill_keras_home(tmp_path) / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(idx_bytes(ARRAYS.test_images))[:999])
    with pytest.raises(
        InputError, match=r"^python\S* failed with exit code 1: EOFError: Compressed file ended"
    ):
        fetch_with_keras(EXPECTED)


def test_system_without_apt_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"^apt-get is not installed$"):
        fetch_debian_package(EXPECTED)


def test_last_complaint_of_apt_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "apt-get"
    program.write_text("#!/bin/sh\necho 'W: slow' >&2\necho 'E: Unable to locate package' >&2\nexit 100\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    message = r"^apt-get failed with exit code 100: E: Unable to locate package$"
    with pytest.raises(InputError, match=message):
        fetch_debian_package(EXPECTED)


def test_package_lists_of_our_own_are_fetched_when_the_systems_do_not_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Stand-ins for apt-get (the first download fails) and dpkg-deb (unpacks the small dataset).
    programs, log = tmp_path / "programs", tmp_path / "calls"
    folder = write_idx_folder(tmp_path / "idx", ARRAYS)
    programs.mkdir()
    (programs / "apt-get").write_text(
        f'#!/bin/sh\necho "$*" >> {log}\n'
        'case "$*" in\n'
        "*update) exit 0;;\n"
        "*Dir::Cache=*) : > dataset-fashion-mnist_1_all.deb;;\n"
        "*) exit 100;;\n"
        "esac\n"
    )
    (programs / "dpkg-deb").write_text(
        f'#!/bin/sh\ndeep="$3/usr/share/datasets/fashion-mnist"\nmkdir -p "$deep"\ncp {folder}/* "$deep"\n'
    )
    for program in programs.iterdir():
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    assert fetch_debian_package(EXPECTED).test_labels.tolist() == ARRAYS.test_labels.tolist()
    assert [line.split()[-1] for line in log.read_text().splitlines()] == [
        "dataset-fashion-mnist",
        "update",
        "dataset-fashion-mnist",
    ]
