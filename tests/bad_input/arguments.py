"""Arguments of the command line that cannot be meant."""

from pathlib import Path

from tests.bad_input.case import Case


def _locked_results(folder: Path) -> list[object]:
    (folder / "locked").mkdir(mode=0o500)
    return ["run", "smoke", "--results", "locked"]


def _locked_runs(folder: Path) -> list[object]:
    run = folder / "results" / "runs" / "20260102T030405Z-lab-1a2b"
    for file in (run / "run.json", folder / "results" / "locks" / f"{run.name}.lock"):
        file.parent.mkdir(parents=True)
        file.touch(0o400)
        file.parent.chmod(0o500)
    return ["prune", "--older-than", "1s"]


CASES = (
    Case("a command that is none", lambda _: ["shw"]),
    Case("an option that is none", lambda _: ["run", "smoke", "--lane", 2]),
    Case("no argument", lambda _: ["predict"]),
    Case("a million lanes", lambda _: ["run", "smoke", "--lanes", 1_000_000]),
    Case("lanes of 31 digits to plan for", lambda _: ["plan", "smoke", "--lanes", 10**30]),
    Case("too many repeats", lambda _: ["run", "smoke", "--repeats", 5000]),
    Case("no such engine", lambda _: ["run", "smoke", "--engine", "fast"]),
    Case("no address of a scheduler", lambda _: ["run", "smoke", "--scheduler", "http://host:8786"]),
    Case("lanes where a scheduler has them", lambda _: ["run", "smoke", "--scheduler", "host", "--lanes", 2]),
    Case("a scheduler's lanes waited for for no time", lambda _: ["run", "smoke", "--lane-timeout", "soon"]),
    Case("lanes for no scheduler", lambda _: ["lane", ""]),
    Case("a comma for the exercises", lambda _: ["run", "smoke", "--exercises", ","]),
    Case("a number of 5,000 digits", lambda _: ["run", "smoke", "--exercises", "9" * 5000]),
    Case("a budget that is no time", lambda _: ["run", "smoke", "--budget", "NaT"]),
    Case("a budget longer than any", lambda _: ["run", "smoke", "--budget", f"{'9' * 30}h"]),
    Case(
        "a home folder of nobody for the results", lambda _: ["run", "smoke", "--results", "~nobody-at-all/x"]
    ),
    Case("a home folder of nobody for the data", lambda _: ["run", "smoke", "--data", "~nobody-at-all/x"]),
    Case("a run to resume that was never started", lambda _: ["resume", "20260102T030405Z-lab-1a2b"]),
    Case("results where nothing may be written", _locked_results, unprivileged=True),
    Case("a port that is none", lambda _: ["serve", "--port", 65_536]),
    Case("no run to keep", lambda _: ["prune", "--keep", 0]),
    Case("results to prune where nothing may be written", _locked_runs, unprivileged=True),
    Case("results to prune that are not there", lambda _: ["prune", "--keep", 3, "--results", "resluts"]),
)
