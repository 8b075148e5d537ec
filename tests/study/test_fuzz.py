"""Whatever a study file holds, reading it gives a study that can be planned, or one message that names it."""

import copy
import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, strategies as st
from ruamel.yaml import YAML

from study.errors import InputError
from study.plan.plan import compile_plan, list_trials
from study.spec.study_file import STUDIES_FOLDER, read_study
from study.yaml_file import MAX_BYTES
from tests.fuzz import repeatable
from tests.rows import make_source

LAB = (STUDIES_FOLDER / "lab.yaml").read_bytes()
CONTENT = YAML(typ="safe", pure=True).load(LAB)

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 70_000),
    st.integers(min_value=10**30, max_value=10**400),
    st.floats(),
    st.sampled_from(
        [
            "",
            "lab",
            "sweep",
            "filters",
            "epochs",
            "images",
            "../x",
            "a\nb",
            "x" * 3000,
            "2020-13-45",
            "\x1b[31m",
            "\ud800",
        ]
    ),
    st.text(max_size=20),
)
KEYS = st.one_of(st.sampled_from(sorted({*CONTENT, "number", "kind", "values", "int", "fixed"})), SCALARS)
STRUCTURES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.lists(st.tuples(KEYS, inner), max_size=4).map(tuple)
    ),
    max_leaves=12,
)
"""Anything that YAML can say; a mapping is a tuple of pairs, so that its keys may be anything, also twice."""

CHANGES = st.tuples(
    st.integers(0, 10_000), st.sampled_from(["drop", "add", "replace", "twice"]), KEYS, STRUCTURES
)
"""Where in a study (counted over all its places), what is done there, and with what key or value."""

SNIPPETS = st.sampled_from(
    [
        b"\t", b"\n", b" ", b":", b"- ", b"? ", b"#", b"|", b">", b"'", b'"', b"{", b"}", b"[", b"]", b"\x00",
        b"\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\r", b"\x85", b"%YAML 9.9\n---\n", b"\n---\n", b"...\n",
        b"&a ", b"*a ", b"<<: *a\n", b"!!binary ", b"!!omap ", b"!!set ", b"!!float ", b"!!int ", b"!!null ",
        b"!!timestamp ", b"!x ", b"!!python/object/apply:os.system [ls] ", b"!!python/name:os.system ",
        b".nan", b"-.inf", b"1e999", b"0x", b"0o9", b"1_000", b"12:30:45", b"2001-12-14t21:59:43.10-05:00",
        b"0001-01-01 00:00:00 +23:59", b"9" * 5000,
    ]
)  # fmt: skip


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where studies are written, beside the published values that the lab study names."""
    folder = tmp_path_factory.mktemp("fuzz")
    shutil.copytree(STUDIES_FOLDER / "published", folder / "published")
    return folder / "mine.yaml"


def check(file: Path, content: str | bytes) -> None:
    """Read a study from this content and plan it, or be told in one message what is wrong."""
    file.write_bytes(content.encode(errors="surrogatepass") if isinstance(content, str) else content)
    try:
        study = read_study(str(file))
    except InputError as error:
        lines = str(error).splitlines()
        assert lines, "there is a message"
        assert all(line.startswith(str(file.parent)) and len(line) < 2000 for line in lines), lines
        return
    plan = compile_plan(study, list_trials(study), make_source(study))
    assert len(plan.trainings) <= len(plan.trials) <= 100_000
    assert study.model_dump_json(), "it can be recorded with the run"


def spell(value: Any) -> str:
    """A value as YAML in one line; its texts may hold half a surrogate pair, as YAML's escapes may."""
    if isinstance(value, dict):
        value = tuple(value.items())
    if isinstance(value, tuple):
        return "{" + ", ".join(f"? {spell(key)} : {spell(each)}" for key, each in value) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(spell, value)) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    if isinstance(value, int) and not isinstance(value, bool) and value >= 10**30:
        return hex(value)
    return json.dumps(value)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container of a structure with each of its keys or indices."""
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from places(value[key])


@repeatable
@given(STRUCTURES)
def test_any_structure_is_a_study_or_refused_by_name(file: Path, structure: Any):
    check(file, spell(structure))


@repeatable
@given(st.lists(CHANGES, min_size=1, max_size=3))
def test_a_changed_study_is_a_study_or_refused_by_name(file: Path, changes: list[tuple[int, str, Any, Any]]):
    content = copy.deepcopy(CONTENT)
    for number, change, key, value in changes:
        known = list(places(content))
        if not known:
            break
        container, at = known[number % len(known)]
        if change == "drop":
            del container[at]
        elif change == "add" and isinstance(container, dict):
            container[str(key)] = value
        elif change == "twice" and isinstance(container, list):
            container.append(copy.deepcopy(container[at]))
        else:
            container[at] = value
    check(file, spell(content))


@repeatable
@given(st.lists(st.tuples(st.integers(0, len(LAB)), st.integers(0, 30), SNIPPETS), min_size=1, max_size=3))
@example([(0, 0, b"\xef\xbb\xbf")])
@example([(0, len(LAB), b"")])
def test_a_damaged_study_is_a_study_or_refused_by_name(file: Path, damages: list[tuple[int, int, bytes]]):
    content = LAB
    for at, length, snippet in damages:
        content = content[:at] + snippet + content[at + length :]
    check(file, content)


@repeatable
@given(st.integers(2, 40), st.integers(2, 9), st.sampled_from(["[{}]", "{{<<: [{}]}}", "{{k: [{}]}}"]))
def test_aliases_that_stand_for_billions_are_refused_at_once(file: Path, levels: int, width: int, form: str):
    lines = [f"a0: &a0 {form.format('{x: 1}')}"]
    for level in range(1, levels):
        lines.append(f"a{level}: &a{level} " + form.format(", ".join([f"*a{level - 1}"] * width)))
    check(file, "\n".join(lines))
    with pytest.raises(InputError):
        read_study(str(file))


@pytest.mark.parametrize("depth", [10, 100, 1000])
@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_deep_nesting_is_refused(file: Path, opening: str, depth: int):
    check(file, "name: mine\nseed: " + opening * depth)
    check(file, opening * depth)


def test_a_study_that_is_too_long_is_refused_before_it_is_read(file: Path):
    check(file, LAB + b"#" * (MAX_BYTES - len(LAB)))
    assert read_study(str(file)).name == "lab"
    file.write_bytes(LAB + b"#" * (MAX_BYTES - len(LAB) + 1))
    with pytest.raises(InputError, match=r"mine.yaml: longer than 100,000 bytes, which is the most a study"):
        read_study(str(file))
