"""Whatever bytes a kept file holds, reading it gives what was written, or one error that names the file."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from storage.results import Results, open_results
from storage.tables.published import publish, read_run
from storage.trainings import DamagedTraining, list_keys, verify_training
from study.errors import InputError
from tests.fuzz import repeatable
from tests.small_run import make_tables
from tests.storage.test_trainings import save

DAMAGES = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 40), st.binary(max_size=8)),
    min_size=1,
    max_size=4,
)
"""Where in a file, how much is taken out there, and what is put in."""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """A published run and a kept training."""
    results = open_results(tmp_path_factory.mktemp("kept") / "results")
    publish(results, make_tables())
    save(results)
    return results


def damage(content: bytes, damages: list[tuple[float, int, bytes]]) -> bytes:
    for place, length, added in damages:
        at = int(place * len(content))
        content = content[:at] + added + content[at + length :]
    return content


@contextmanager
def replaced(path: Path, change: Callable[[bytes], bytes]) -> Iterator[None]:
    sound = path.with_name("sound")
    shutil.copyfile(path, sound)
    try:
        path.write_bytes(change(sound.read_bytes()))
        yield
    finally:
        sound.replace(path)


@pytest.mark.parametrize("name", ["record.json", "weights-5.npz", "optimizer-5.npz"])
@repeatable
@given(DAMAGES)
def test_a_damaged_training_is_named(kept: Results, name: str, damages: list[tuple[float, int, bytes]]):
    (key,) = list_keys(kept)
    sound = verify_training(kept, key)
    with replaced(kept.trainings / key / name, lambda content: damage(content, damages)):
        try:
            assert verify_training(kept, key) == sound
        except DamagedTraining as error:
            assert str(kept.trainings / key / name) in str(error)
            assert len(str(error).splitlines()) == 1


@pytest.mark.parametrize("table", ["runs", "summary"])
@repeatable
@given(DAMAGES)
def test_a_damaged_table_is_named(kept: Results, table: str, damages: list[tuple[float, int, bytes]]):
    (path,) = (kept.tables / table).glob("*/*.parquet")
    with replaced(path, lambda content: damage(content, damages)):
        try:
            read_run(kept)
        except InputError as error:
            assert str(path) in str(error) or str(kept.tables) in str(error)
            assert len(str(error).splitlines()) == 1
