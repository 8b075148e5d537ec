"""Ask the questions of `docs/reading.md` of a thousand nights, with every library, and time the answers.

Run it with `.venv/bin/python -m benchmarks.readers` (`--nights N`, default 1000; some minutes on two cores):
it prints the tables that stand in `docs/reading.md`. The nights are those of
`tests.many_nights`, the lab study's rows with readings and weights that no two nights share, published and
compacted by the product's own code. Each question is asked in a process of its own, the first time and
again; the files are in the system's cache, as they are when they have just been written.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from storage.results import Results, open_results
from storage.tables.history import update_history
from storage.tables.published import publish
from study.status import NightVerdict
from tests.gallery import list_questions
from tests.many_nights import ManyNights
from tests.rows import make_study

FIRST = datetime(2024, 1, 1, 2, tzinfo=UTC)

OF_TABLES = (1, 3, 6)
"""Questions that are asked of `tables`, too: of a run, of a study's history, of a join."""

WAYS = ("pandas", "Polars", "DuckDB", "SQL in DuckDB", "SQL in Polars")

Figures = dict[str, float]


def publish_nights(results: Results, nights: ManyNights, first: int, last: int) -> None:
    """Publish nights by number; every 90th has drifted, every 40th has a failed trial, every 10th reuses."""
    for number in range(first, last):
        publish(
            results,
            nights.make(
                FIRST + timedelta(days=number),
                verdict=NightVerdict.DRIFTED if number % 90 == 50 else NightVerdict.SAME,
                failed=[number % 100] if number % 40 == 7 else [],
                reused=20 if number % 10 == 0 else 0,
            ),
        )


def make_results(results: Results, nights: ManyNights, count: int) -> Iterator[str]:
    """Publish so many nights and compact them; tell how long it took."""
    yield f"| {count:,} nights of the lab study | seconds |\n| --- | ---: |"
    seconds = _seconds(lambda: publish_nights(results, nights, 0, count - 1))
    yield f"| publishing one, a mean | {seconds / (count - 1):.2f} |"
    seconds = _seconds(lambda: update_history(results))
    yield f"| making `history` of all at once | {seconds:.1f} |"
    publish_nights(results, nights, count - 1, count)
    seconds = _seconds(lambda: update_history(results))
    yield f"| adding the last night to it | {seconds:.1f} |"
    yield f"| finding that there is nothing to do | {_seconds(lambda: update_history(results)):.2f} |"


def describe_sizes(results: Results) -> Iterator[str]:
    """Megabytes and files as they are written, and as readers get them."""
    for folder in (results.tables, results.history):
        sizes = [path.stat().st_size for path in folder.rglob("*.parquet")]
        yield f"`{folder.name}`: {sum(sizes) / 1e6:.1f} MB in {len(sizes):,} files"


def tabulate_times(folder: Path) -> Iterator[str]:
    """Milliseconds of each question's first and later answer; then what each way needs beside."""
    found: dict[str, list[Figures]] = {way: [] for way in WAYS}
    yield f"| ms, first / again | {' | '.join(WAYS)} |\n| --- |{' ---: |' * len(WAYS)}"
    for number, section in enumerate(list_questions(), start=1):
        for way in WAYS:
            found[way].append(_ask(folder, number, way, "history"))
        yield f"| {section.title} | {' | '.join(_shown(found[way][-1]) for way in WAYS)} |"
    starts = [statistics.median(each["start"] for each in found[way]) for way in WAYS]
    yield f"| import and set-up, ms | {' | '.join(f'{1000 * start:.0f}' for start in starts)} |"
    peaks = [max(each["megabytes"] for each in found[way]) for way in WAYS]
    yield f"| most memory, MB | {' | '.join(f'{peak:.0f}' for peak in peaks)} |"
    yield f"\nSlowest: {1000 * max(each['first'] for way in WAYS for each in found[way]):.0f} ms."


def tabulate_layouts(folder: Path) -> Iterator[str]:
    """The set-up and first answer from `tables` against those from `history`."""
    ways = WAYS[:3]
    yield f"| s, set-up and first answer: `tables` / `history` | {' | '.join(ways)} |\n| --- |{' ---: |' * 3}"
    for number in OF_TABLES:
        cells = []
        for way in ways:
            slow, quick = (
                found["start"] + found["first"]
                for found in (_ask(folder, number, way, layout) for layout in ("tables", "history"))
            )
            cells.append(f"{slow:.2f} / {quick:.2f} = {slow / quick:.0f}×")
        yield f"| {list_questions()[number - 1].title} | {' | '.join(cells)} |"


def _ask(folder: Path, number: int, way: str, layout: str) -> Figures:
    root = Path(__file__).parent.parent
    command = [sys.executable, "-m", "benchmarks.answering", str(number), way, layout]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True)
    figures: Figures = json.loads(done.stdout)
    if not figures["rows"]:
        raise SystemExit(f"question {number} has no answer in {way}")
    return figures


def _shown(figures: Figures) -> str:
    return f"{1000 * figures['first']:.0f} / {1000 * figures['again']:.0f}"


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main() -> None:
    """Publish, ask and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nights", type=int, default=1000, metavar="N")
    nights = parser.parse_args().nights
    with tempfile.TemporaryDirectory(prefix="readers-") as name:
        folder = Path(name)
        results = open_results(folder / "results")
        for lines in (
            make_results(results, ManyNights(make_study()), nights),
            describe_sizes(results),
            tabulate_times(folder),
            tabulate_layouts(folder),
        ):
            for line in lines:
                print(line, flush=True)
            print(flush=True)


if __name__ == "__main__":
    main()
