"""Studies that are no studies, or ask for what cannot be."""

from collections.abc import Callable
from pathlib import Path

from tests.bad_input.case import Case

SOUND = """\
name: mine
title: My study
data: {train_images: 640, test_images: 200}
baseline: {filters: 4, epochs: 2}
exercises:
  - {number: 2, kind: sweep, title: T, question: Q?, parameter: kernel_size, values: [3, 5], repeats: 3}
  - {number: 7, kind: optimum, title: T, question: Q?, combine: [2], candidates: {small: {filters: 2}}}
"""
MORE = """\
  - {number: 3, kind: sweep, title: T, question: Q?, parameter: batch_size, values: *sides, repeats: 1}
"""


def _study(content: str | bytes) -> Callable[[Path], list[object]]:
    def prepare(folder: Path) -> list[object]:
        (folder / "mine.yaml").write_bytes(content.encode() if isinstance(content, str) else content)
        return ["plan", "mine.yaml"]

    return prepare


def _altered(old: str, new: str) -> Callable[[Path], list[object]]:
    assert SOUND.count(old) == 1, old
    return _study(SOUND.replace(old, new))


def _folder(folder: Path) -> list[object]:
    (folder / "mine.yaml").mkdir()
    return ["plan", "mine.yaml"]


def _unreadable(folder: Path) -> list[object]:
    _study(SOUND)(folder)
    (folder / "mine.yaml").chmod(0)
    return ["run", "mine.yaml"]


def _published_nan(folder: Path) -> list[object]:
    averages = "exercise,parameter,value,n_readings,accuracy_pct,note\n2,kernel_size,3,5,nan,\n"
    (folder / "averages.csv").write_text(averages)
    return _study(SOUND + "published: {averages: averages.csv}\n")(folder)


def _laugh(levels: int = 12) -> str:
    lines = ["a0: &a0 [lol]\n"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, levels)]
    return "".join(lines)


CASES = (
    Case("a name longer than any file's", lambda _: ["plan", f"{'x' * 300}.yaml"]),
    Case("a folder", _folder),
    Case("a file that may not be read", _unreadable, unprivileged=True),
    Case("a tab as indentation", _study("name: mine\ndata:\n\ttrain_images: 640\n")),
    Case("a character that no text has", _study("name: mine\x1b[31m\n")),
    Case("a file of 100,001 bytes", _study(SOUND + "#" * (100_001 - len(SOUND)))),
    Case("lists nested 1,000 deep", _study(SOUND + "seed: " + "[" * 1000)),
    Case("aliases that stand for 9 to the 11th values", _study(SOUND + _laugh())),
    Case("an alias that stands for itself", _study(SOUND + "data: &a {train_images: *a}\n")),
    Case("a key that is a number", _study(SOUND + "1: 2\n")),
    Case("a number of 5,000 digits", _altered("filters: 4", f"filters: {'9' * 5000}")),
    Case("a hexadecimal number of 5,000 digits", _altered("filters: 4", f"filters: 0x{'f' * 5000}")),
    Case("an infinite number", _altered("filters: 4", "learning_rate: .inf")),
    Case("no exercises", _study(SOUND.partition("exercises:")[0] + "exercises: []\n")),
    Case(
        "more trials than can be planned",
        _altered("kernel_size, values: [3, 5], repeats: 3",
                 f"dense_units, values: {list(range(1, 102))}, repeats: 1000"),
    ),
    Case("a published average that is no number", _published_nan),
    Case("more images than there are", _altered("train_images: 640", "train_images: 60001")),
)  # fmt: skip

FINE = (
    Case("a title with brackets, which could be markup", _altered("title: My study", "title: '[/b]'"), 0),
    Case("a title of an exercise likewise", _study(SOUND.replace("title: T,", "title: '[/b]',")), 0),
    Case("an anchor and its alias", _study(SOUND.replace("[3, 5]", "&sides [3, 5]") + MORE), 0),
    Case("a byte order mark", _study(b"\xef\xbb\xbf" + SOUND.encode()), 0),
)
