"""The chain of sources: the first that has the dataset is used, and every failure is told."""

import gzip
import logging
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from storage.dataset_files import DatasetArrays, ExpectedDataset, read_cache, read_idx_folder, write_cache
from study.errors import InputError
from tasks.data.download import ADDRESS
from tasks.data.sources import (
    Source,
    default_sources,
    fetch_debian_package,
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
        "Keras's cache",
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


def test_failure_of_every_source_names_each_reason_and_the_files_to_fetch_by_hand(tmp_path: Path) -> None:
    sources = (Source("cache", partial(read_cache, tmp_path)), Source("network", out_of_order))
    with pytest.raises(InputError) as told:
        read_first(sources, EXPECTED)
    lines = str(told.value).splitlines()
    assert lines[:3] == [
        "no source has the dataset:",
        f"  cache: {tmp_path}/train-images.npy: no such file",
        "  network: no answer",
    ]
    assert "`study data --data FOLDER`" in lines[4]
    assert [line for line in lines if line.startswith("  https://")] == [
        f"  {ADDRESS}/{each.idx_name}.gz" for each in EXPECTED
    ]


def test_given_folder_may_be_the_cache_that_study_data_prints(tmp_path: Path) -> None:
    write_cache(tmp_path, ARRAYS, EXPECTED)
    assert np.array_equal(read_given_folder(tmp_path, EXPECTED).test_labels, ARRAYS.test_labels)
    (tmp_path / "t10k-labels.npy").unlink()
    with pytest.raises(InputError, match=r"t10k-labels.npy: no such file; put the published file there"):
        read_given_folder(tmp_path, EXPECTED)


def test_given_folder_without_a_file_says_what_to_do(tmp_path: Path) -> None:
    folder = write_idx_folder(tmp_path, ARRAYS)
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    message = (
        r": found no t10k-labels-idx1-ubyte \(with or without .gz\), expected .*;"
        r" put the published file there, or leave --data out and the dataset is fetched$"
    )
    with pytest.raises(InputError, match=message):
        read_given_folder(folder, EXPECTED)


def test_what_keras_has_downloaded_is_used_and_a_damaged_file_named_and_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("STUDY_USERS_KERAS_HOME", str(tmp_path))
    folder = write_idx_folder(tmp_path / "datasets" / "fashion-mnist", ARRAYS)
    source = next(each for each in default_sources(tmp_path) if each.name == "Keras's cache")
    assert read_first([source], EXPECTED)[1] == "Keras's cache"
    damaged = folder / "t10k-images-idx3-ubyte.gz"
    damaged.write_bytes(gzip.compress(idx_bytes(ARRAYS.test_images))[:999])
    other = Source("other", partial(read_idx_folder, write_idx_folder(tmp_path / "other", ARRAYS)))
    assert read_first([source, other], EXPECTED)[1] == "other"
    found = f"no dataset from Keras's cache: {damaged}: found a gzip file cut short at 999 bytes"
    assert [found in each.getMessage() for each in caplog.records] == [True]


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
