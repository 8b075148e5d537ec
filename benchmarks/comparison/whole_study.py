"""Compare a whole study by the notebook loop with this project, and both with the bound of the machine.

`make bench-full` runs it for `lab`: first this project, then the notebook loop over the same trials, which
takes hours. Each trial's time is kept as it ends, so that a rerun goes on; `--repeats 1` trains only the
first repeat of every setting, `--epochs 2` at most two epochs of each, and the sum is scaled to all: it then
is called estimated.
"""

import argparse
import csv
import json
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.comparison.contestants import BENCH_PYTHON, ROOT, bare_environment, study_run
from benchmarks.comparison.estimate import Total, add_up_trials
from benchmarks.comparison.machine import read_machine
from benchmarks.comparison.own_study import OwnStudy, read_own_study
from benchmarks.comparison.process_tree import Measured, measure_tree
from benchmarks.comparison.session import run_session
from benchmarks.comparison.trial_log import begin_log, read_log
from benchmarks.comparison.workload import Workload
from benchmarks.peak import Peak, measure_peak
from study.errors import InputError
from study.study_file import read_study

KEPT = ROOT / "results" / "bench-full"
"""Where this project's run and the loop's times are kept from session to session."""

RESULTS = Path(__file__).with_name("results")
LIMIT_SECONDS = 24 * 3600.0
EVERY_EPOCH = 10**9


@dataclass(frozen=True)
class Row:
    """One line of the outcome; `share` is the bound's part of the wall time, by both counts of the work."""

    what: str
    how: str
    wall_seconds: float
    cpu_seconds: float | None
    times_faster: float | None
    share_every: float | None
    share_nonzero: float | None


def main() -> int:
    """Measure what is not measured yet, and write the outcome; 1 if a part failed."""
    options = _read_options()
    kept = options.kept / Path(options.study).stem
    try:
        read_study(options.study)
        measured = _measure_ours(options.study, kept, options.again, options.limit)
        own = read_own_study(kept / "ours")
        _train_by_notebook(own, kept / "notebook.csv", options.repeats, options.epochs, options.limit)
        total = add_up_trials(read_log(kept / "notebook.csv"), own)
    except (InputError, ValueError, RuntimeError) as error:
        print(f"bench-full: {error}", file=sys.stderr)
        return 1
    peak, machine = measure_peak(), read_machine((BENCH_PYTHON.parents[1], ROOT / ".venv"))
    rows = compare_whole(own, measured, total, peak, machine.cores)
    _write(rows, options.results, f"{kept.name}-whole", f"{peak.words}. {machine.words}.")
    print((options.results / f"{kept.name}-whole.md").read_text(encoding="utf-8"))
    return 0


def compare_whole(own: OwnStudy, measured: Measured, total: Total, peak: Peak, cores: int) -> list[Row]:
    """The loop and this project against each other, and each against the bound of the work it does."""
    shared, unshared = own.shared.seconds(peak.gflops, cores), own.unshared.seconds(peak.gflops, cores)
    return [
        Row(
            "notebook loop", f"{len(own.trials)} trials, {total.words}", total.wall_seconds,
            total.cpu_seconds, 1.0, *(each / total.wall_seconds for each in unshared),
        ),
        Row(
            "this project", f"{own.trainings} trainings, measured", measured.wall_seconds,
            measured.cpu_seconds, total.wall_seconds / measured.wall_seconds,
            *(each / measured.wall_seconds for each in shared),
        ),
        *(
            Row(f"bound of {whose}", how, seconds, None, total.wall_seconds / seconds, None, None)
            for whose, bound in (("the loop's trials", unshared), ("this project's trainings", shared))
            for how, seconds in zip(("every multiply-add", "those that are not zero"), bound, strict=True)
        ),
    ]  # fmt: skip


def _measure_ours(study: str, kept: Path, again: bool, limit: float) -> Measured:
    answer = kept / "ours.json"
    if answer.exists() and not again:
        print(f"this project: measured before ({answer}; --again measures it anew)", flush=True)
        return Measured(**json.loads(answer.read_text(encoding="utf-8")))
    answer.unlink(missing_ok=True)
    shutil.rmtree(kept / "ours", ignore_errors=True)
    kept.mkdir(parents=True, exist_ok=True)
    print("this project: running", flush=True)
    with tempfile.TemporaryDirectory(prefix="c-", ignore_cleanup_errors=True) as folder:
        measured = measure_tree(
            study_run(study, kept / "ours"),
            limit_seconds=limit,
            log=kept / "ours.log",
            environment=bare_environment(Path(folder)),
        )
    if measured.problem:
        raise RuntimeError(f"this project: {measured.problem}; see {kept / 'ours.log'}")
    answer.write_text(json.dumps(asdict(measured)), encoding="utf-8")
    print(f"this project: {measured.wall_seconds:.1f} s wall", flush=True)
    return measured


def _train_by_notebook(
    own: OwnStudy, log: Path, repeats: int | None, epochs: int | None, limit: float
) -> None:
    done = {each.name for each in begin_log(log) if epochs or not each.cut}
    wanted = [setting for _, repeat, setting in own.trials if repeats is None or repeat <= repeats]
    missing = tuple(setting for setting in wanted if setting.name not in done)
    print(f"notebook loop: {len(wanted)} trials, {len(wanted) - len(missing)} done before", flush=True)
    if not missing:
        return
    with tempfile.TemporaryDirectory(prefix="c-", ignore_cleanup_errors=True) as folder:
        workload = Path(folder, "workload.json")
        Workload(own.data, own.train_images, own.test_images, missing).write(workload)
        program = [str(BENCH_PYTHON), "-m", "benchmarks.comparison.notebook_trials"]
        measured = measure_tree(
            [*program, str(workload), str(log), str(epochs or EVERY_EPOCH)],
            limit_seconds=limit,
            log=log.with_suffix(".log"),
            environment=bare_environment(Path(folder)),
        )
    if measured.problem:
        raise RuntimeError(
            f"notebook loop: {measured.problem}; see {log.with_suffix('.log')}; a rerun goes on"
        )


def _write(rows: list[Row], folder: Path, name: str, note: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, asdict(rows[0]).keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)
    lines = [
        "| | | wall (s) | CPU (s) | times faster | bound / wall: every multiply-add | those not zero |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
        *(_format(row) for row in rows),
    ]
    table = "\n".join(lines)
    (folder / f"{name}.md").write_text(f"{table}\n\n{note}\n", encoding="utf-8")


def _format(row: Row) -> str:
    cpu = "" if row.cpu_seconds is None else f"{row.cpu_seconds:.0f}"
    faster = "" if row.times_faster is None else f"{row.times_faster:.2f}"
    shares = ["" if each is None else f"{each:.1%}" for each in (row.share_every, row.share_nonzero)]
    return f"| {row.what} | {row.how} | {row.wall_seconds:.1f} | {cpu} | {faster} | {' | '.join(shares)} |"


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.comparison.whole_study", description=__doc__)
    parser.add_argument("--study", default="lab", help="a name in studies/ or a path; default: lab")
    parser.add_argument("--repeats", type=int, metavar="N", help="the loop trains only so many of a setting")
    parser.add_argument("--epochs", type=int, metavar="N", help="the loop trains so many of a trial at most")
    parser.add_argument(
        "--again", action="store_true", help="measure this project anew; the loop's times stay"
    )
    parser.add_argument("--limit", type=float, default=LIMIT_SECONDS, metavar="SECONDS", help="for each part")
    parser.add_argument(
        "--kept", type=Path, default=KEPT, metavar="DIR", help="where times and runs are kept"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help="where the outcome goes")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(run_session(main))
