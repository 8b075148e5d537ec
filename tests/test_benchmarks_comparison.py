"""The comparison: its workload, its measuring of process trees, its arithmetic, its keeping of times."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from benchmarks.comparison.agreement import find_disagreements
from benchmarks.comparison.bound import Work, add_up, count_work
from benchmarks.comparison.contest import Entry, find_missing, hold_contest
from benchmarks.comparison.contestants import CONTESTANTS, NOTEBOOK, OURS, ROOT, WORKLOAD_FILE, Contestant
from benchmarks.comparison.cpu_account import open_account
from benchmarks.comparison.estimate import add_up_trials
from benchmarks.comparison.figure import draw_comparison
from benchmarks.comparison.from_study import make_workload
from benchmarks.comparison.loopback import is_loopback, isolating_prefix
from benchmarks.comparison.machine import read_machine
from benchmarks.comparison.own_study import OwnStudy
from benchmarks.comparison.process_tree import Measured, measure_tree
from benchmarks.comparison.records import write_accuracies, write_runs
from benchmarks.comparison.table import compare_ours, format_table, make_lines
from benchmarks.comparison.trial_log import START_UP, TrialTime, append_to_log, begin_log, read_log
from benchmarks.comparison.whole_study import compare_whole
from benchmarks.comparison.workload import Answer, Setting, Workload
from benchmarks.peak import Peak, measure_peak
from study.setting import Hyperparameters
from study.study_file import read_study

pytestmark = pytest.mark.slow

SETTING = Setting("epochs=2", 8, 3, 16, 0.0, 0.01, 0.9, 32, 2)
MEASURED = Measured(10.0, 20.0, 3_000_000_000)
ISOLATED = pytest.mark.skipif(not isolating_prefix(), reason="no network of its own can be made here")


@pytest.fixture(scope="module")
def workload() -> Workload:
    return make_workload(read_study(str(WORKLOAD_FILE)))


def a_workload(*settings: Setting) -> Workload:
    return Workload(Path("data"), 100, 100, settings or (SETTING,))


def a_contestant(name: str, code: str = "", title: str = "") -> Contestant:
    """Runs Python code in the folder of the contest."""

    def command(folder: Path) -> list[str]:
        return [sys.executable, "-c", f"import os, json; os.chdir({str(folder)!r})\n{code}"]

    return Contestant(name, title or name, "none", command)


def an_entry(name: str, wall: float, cpu: float = 1.0, number: int = 1, problem: str = "") -> Entry:
    return Entry(number, a_contestant(name), Measured(wall, cpu, 10**9, problem), ())


def run_python(tmp_path: Path, code: str, limit: float = 60.0) -> Measured:
    return measure_tree([sys.executable, "-c", code], limit_seconds=limit, log=tmp_path / "log.txt")


# The workload.


def test_the_workload_is_exercises_2_4_and_5_of_the_lab_study_once_each_on_fewer_images():
    reduced, lab = read_study(str(WORKLOAD_FILE)), read_study("lab")
    assert reduced.baseline == lab.baseline
    assert (reduced.protocol, reduced.seed) == (lab.protocol, lab.seed)
    assert reduced.sweeps == tuple(
        sweep.model_copy(update={"repeats": 1}) for sweep in lab.sweeps if sweep.number in (2, 4, 5)
    )
    assert (reduced.data.train_images, reduced.data.test_images) == (6016, 1002)


def test_the_workload_has_15_trials_of_different_names_and_88_epochs(workload: Workload):
    assert len({setting.name for setting in workload.settings}) == len(workload.settings) == 15
    assert workload.epochs == 88


def test_a_contestant_reads_the_workload_as_it_was_written(workload: Workload, tmp_path: Path):
    workload.write(tmp_path / "workload.json")
    assert Workload.read(tmp_path / "workload.json") == workload


def test_contestants_load_the_first_images_of_the_real_dataset(workload: Workload):
    shapes = [array.shape for array in workload.load()]
    assert shapes == [(6016, 28, 28), (6016,), (1002, 28, 28), (1002,)]


def test_what_contestants_run_by_needs_none_of_the_product_s_packages():
    code = (
        "import sys, benchmarks.comparison.workload, benchmarks.comparison.trial_log\n"
        "print(sorted({'study', 'storage', 'tasks', 'flows'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_this_project_is_started_by_the_command_that_a_user_types(tmp_path: Path):
    ours = next(each for each in CONTESTANTS if each.name == OURS)
    program, *arguments = ours.command(tmp_path)
    assert (Path(program).name, arguments[:2]) == ("study", ["run", str(WORKLOAD_FILE)])


def test_contestants_train_with_the_product_s_own_versions():
    def versions(lock: Path) -> set[str]:
        lines = lock.read_text().splitlines()
        return {
            line.partition(" ")[0]
            for line in lines
            if line.startswith(("tensorflow==", "keras==", "numpy=="))
        }

    ours, theirs = (
        versions(ROOT / "requirements.lock"),
        versions(WORKLOAD_FILE.with_name("requirements.lock")),
    )
    assert ours == theirs
    assert len(ours) == 4  # two of numpy, by Python's version


# The work that contestants did.


@pytest.mark.parametrize(
    ("answers", "missing"),
    [
        ([Answer("epochs=2", 0.8, 2)], ""),
        ([Answer("epochs=2", 0.8, 2), Answer("epochs=2", 0.7, 2)], ""),
        ([], "it has no answer for epochs=2"),
        ([Answer("epochs=2", 0.8, 1)], "it trained epochs=2 for 1 epochs, asked were 2"),
        ([Answer("epochs=2", 0.8, 2), Answer("more", 0.8, 2)], "it answered more, which nobody asked"),
    ],
)
def test_work_that_was_left_out_or_done_otherwise_is_named(answers: list[Answer], missing: str):
    assert find_missing(a_workload(), answers) == missing


def test_early_stopping_may_end_a_trial_before_its_epochs():
    stopping = replace(SETTING, patience=3)
    assert find_missing(a_workload(stopping), [Answer("epochs=2", 0.8, 1)]) == ""


def entries_that_read(accuracies: dict[str, list[float]], settings: list[Setting]) -> list[Entry]:
    def answer(values: list[float]) -> tuple[Answer, ...]:
        return tuple(Answer(each.name, value, 5) for each, value in zip(settings, values, strict=True))

    return [Entry(1, a_contestant(name), MEASURED, answer(values)) for name, values in accuracies.items()]


def test_a_contestant_whose_readings_are_near_the_others_but_for_collapses_did_the_same_work():
    settings = [replace(SETTING, name=f"setting {number}", epochs=5) for number in range(15)]
    read = {"one": [0.85] * 15, "two": [0.1] * 4 + [0.84] * 11, "three": [0.86] * 15}
    assert find_disagreements(entries_that_read(read, settings), settings) == []


def test_a_contestant_that_reads_something_else_is_named():
    settings = [replace(SETTING, name=f"setting {number}", epochs=5) for number in range(15)]
    read = {"one": [0.85] * 15, "two": [0.6] * 15, "three": [0.86] * 15}
    first, second = find_disagreements(entries_that_read(read, settings), settings)
    assert first == (
        "two, round 1: its typical accuracy is 60.0%, that of all is 85.0%, at most 6% apart was expected"
    )
    assert second.startswith("two, round 1: 15 settings (setting 0, ")


# The contest.


def test_a_contestant_that_fails_stops_nobody_and_the_table_says_why():
    write = "json.dump([{'name': 'epochs=2', 'accuracy': 0.5, 'epochs': 2}], open('answers.json', 'w'))"
    contestants = [
        a_contestant(NOTEBOOK, write),
        a_contestant("broken", "raise SystemExit('no such option')"),
        a_contestant("silent", ""),
        a_contestant("slow", "import time; time.sleep(60)"),
        a_contestant(OURS, write),
        replace(a_contestant("missing"), command=lambda folder: [str(folder / "nothing")]),
    ]
    entries = list(hold_contest(contestants, a_workload(), rounds=1, limit_seconds=5))
    problems = [entry.measured.problem for entry in entries]
    assert problems[0] == problems[4] == ""
    assert problems[1] == "it ended with exit code 1"
    assert entries[1].log_tail == "no such option"
    assert problems[2].startswith("its answers cannot be read: ")
    assert problems[3] == "it was ended after its time limit of 5 s"
    assert problems[5].startswith("it cannot be started: ")
    lines = format_table(make_lines(entries)).splitlines()
    assert lines[3] == "| broken | none | failed: it ended with exit code 1 |  |  |  |  |"


def test_rounds_alternate_between_contestants():
    contestants = [a_contestant("one", "raise SystemExit(1)"), a_contestant("two", "raise SystemExit(1)")]
    held = list(hold_contest(contestants, a_workload(), rounds=2, limit_seconds=30))
    assert [(each.round, each.contestant.name) for each in held] == [
        (1, "one"), (1, "two"), (2, "one"), (2, "two"),
    ]  # fmt: skip


# The measuring of a process tree.


def test_cpu_seconds_count_who_left_its_parent_and_who_is_waited_for_by_nobody(tmp_path: Path):
    burn, start = (
        tmp_path / "burn.py",
        "import subprocess, sys; subprocess.Popen([sys.executable, *sys.argv[1:]])",
    )
    burn.write_text("import time\nwhile time.process_time() < 0.4: pass")
    code = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"  # the kernel reaps its children: told to nobody
        f"subprocess.Popen([sys.executable, {str(burn)!r}], start_new_session=True)\n"
        f"subprocess.Popen([sys.executable, '-c', {start!r}, {str(burn)!r}])\n"
        "while time.process_time() < 0.4: pass\n"
        "time.sleep(1.5)"
    )
    measured = run_python(tmp_path, code)
    assert measured.problem == ""
    if measured.cpu_source != "control group":
        pytest.skip("no control group can be made here, so the last moments of a process are missed")
    assert 1.2 <= measured.cpu_seconds < 4.0


def test_without_a_control_group_the_seconds_seen_of_each_process_are_taken(tmp_path: Path):
    code = "import time\nwhile time.process_time() < 0.4: pass\nprint(flush=True)\ntime.sleep(60)"
    with (
        open_account(tmp_path) as account,
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child,
    ):
        assert child.stdout is not None
        child.stdout.readline()
        account.look([psutil.Process(child.pid)])
        child.kill()
    assert account.source == "RUSAGE_CHILDREN or polling"
    assert account.seconds() >= 0.4


def test_peak_memory_is_that_of_all_processes_together_and_shared_pages_count_once(tmp_path: Path):
    code = (
        "import os, time\n"
        "shared = bytearray(os.urandom(1) * 200_000_000)\n"
        "if os.fork() == 0:\n"
        "    own = bytearray(os.urandom(1) * 100_000_000); time.sleep(2.5); os._exit(0)\n"
        "time.sleep(2.5); os.wait()"
    )
    measured = run_python(tmp_path, code)
    assert 300e6 < measured.peak_bytes < 400e6


def test_what_outlives_its_command_is_ended_and_named(tmp_path: Path):
    code = (
        "import subprocess\n"
        "left = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(left.pid))"
    )
    measured = run_python(tmp_path, code)
    assert tuple(measured.left_running) == ("sleep",)
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


def test_a_command_past_its_time_limit_is_ended_with_all_its_processes(tmp_path: Path):
    code = (
        "import signal, subprocess\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "left = subprocess.Popen(['sleep', '600'])\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(left.pid))\n"
        "left.wait()"
    )
    measured = run_python(tmp_path, code, limit=2.0)
    assert measured.problem == "it was ended after its time limit of 2 s"
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


LISTEN = (
    "import socket, time\nwide = socket.socket(); wide.bind(('0.0.0.0', 0)); wide.listen(); time.sleep({})"
)


@ISOLATED
def test_who_listens_beyond_loopback_is_kept_in_a_network_of_its_own_and_named(tmp_path: Path):
    measured = run_python(tmp_path, LISTEN.format(2.5))
    (listener,) = measured.wide_listeners
    assert measured.isolated
    assert " 0.0.0.0:" in listener
    assert measured.problem == ""


@ISOLATED
def test_without_such_a_network_who_listens_beyond_loopback_is_ended(tmp_path: Path):
    answer, code = tmp_path / "answer.json", LISTEN.format(60)
    options = ["--limit", "30", "--log", str(tmp_path / "log.txt"), "--answer", str(answer)]
    supervisor = [sys.executable, "-m", "benchmarks.comparison.process_tree", *options]
    # It is not told that it is isolated; it is, so that this test opens no port to the world.
    command = [*isolating_prefix(), *supervisor, "--", sys.executable, "-c", code]
    subprocess.run(command, cwd=ROOT, check=True)
    measured = json.loads(answer.read_text())
    assert measured["problem"].startswith("it was ended as it listened beyond loopback: ")


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])
def test_an_address_of_loopback_is_heard_on_this_machine_only(address: str):
    assert is_loopback(address)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "10.0.0.5", "::ffff:0.0.0.0"])
def test_any_other_address_is_heard_beyond(address: str):
    assert not is_loopback(address)


# The table.


def test_ratios_are_taken_round_by_round_against_the_notebook_loop():
    entries = [
        an_entry(NOTEBOOK, 100.0, 50.0, 1), an_entry(OURS, 20.0, 25.0, 1),
        an_entry(NOTEBOOK, 80.0, 50.0, 2), an_entry(OURS, 10.0, 100.0, 2),
        an_entry(NOTEBOOK, 90.0, 50.0, 3), an_entry(OURS, 15.0, 50.0, 3),
    ]  # fmt: skip
    notebook, ours = make_lines(entries)
    assert notebook.faster is not None and ours.faster is not None and ours.less_cpu is not None
    assert (notebook.faster.median, notebook.faster.least, notebook.faster.most) == (1.0, 1.0, 1.0)
    assert (ours.faster.median, ours.faster.least, ours.faster.most) == (6.0, 5.0, 8.0)
    assert (ours.less_cpu.median, ours.less_cpu.least, ours.less_cpu.most) == (1.0, 0.5, 2.0)
    assert compare_ours([notebook, ours]) == ["this project is 6.0 times faster than notebook"]
    assert format_table([ours]).splitlines()[-1] == (
        "| this-project | none | 15.0 (10.0 to 20.0) | 6.00 (5.00 to 8.00) | 50.0 (25.0 to 100.0) "
        "| 1.00 (0.50 to 2.00) | 1.00 (1.00 to 1.00) |"
    )


def test_a_round_that_failed_counts_in_no_ratio_and_is_told():
    entries = [
        an_entry(NOTEBOOK, 100.0, number=1), an_entry("other", 50.0, number=1),
        an_entry(NOTEBOOK, 100.0, number=2), an_entry("other", 1.0, number=2, problem="it broke"),
    ]  # fmt: skip
    other = make_lines(entries)[1]
    assert other.faster is not None and other.faster.most == 2.0
    assert "50.0 (50.0 to 50.0); of 2 rounds some failed: it broke" in format_table([other])


def test_without_the_notebook_loop_there_is_no_ratio():
    (line,) = make_lines([an_entry(OURS, 5.0)])
    assert line.faster is None
    assert "| 5.0 (5.0 to 5.0) |  | 1.0" in format_table([line])


def test_the_csv_files_have_every_run_with_the_machine_and_every_accuracy(tmp_path: Path):
    failed = an_entry("other", 1.0, problem="it broke")
    done = replace(an_entry(OURS, 5.0), answers=(Answer("epochs=2", 0.5, 2),))
    machine = read_machine([Path(sys.prefix)])
    write_runs(tmp_path / "runs.csv", [done, failed], machine)
    write_accuracies(tmp_path / "accuracies.csv", [done, failed])
    runs = (tmp_path / "runs.csv").read_text().splitlines()
    assert runs[1].startswith("1,this-project,none,completed,,5.0,")
    assert runs[2].startswith("1,other,none,failed,it broke,1.0,")
    assert f"tensorflow {machine.versions['tensorflow']}" in runs[1]
    assert (tmp_path / "accuracies.csv").read_text().splitlines()[1:] == ["1,this-project,epochs=2,2,0.5"]


def test_the_figure_shows_who_finished(tmp_path: Path):
    entries = [an_entry(NOTEBOOK, 100.0), an_entry("other", 1.0, problem="it broke"), an_entry(OURS, 20.0)]
    drawn = draw_comparison(make_lines(entries), tmp_path, "comparison", "2 trials")
    assert drawn is not None and drawn.png.exists() and drawn.svg.exists()
    assert drawn.alt == "Seconds for 2 trials: notebook 100.0 s, this-project 20.0 s"


# The whole study: times kept, bound, estimate.


def test_a_torn_last_line_of_the_log_is_left_out_and_what_follows_is_whole(tmp_path: Path):
    log = tmp_path / "notebook.csv"
    begin_log(log)
    first, second = TrialTime("one", 1.5, 2.5, 5, 0.875), TrialTime("two, three", 1.0, 2.0, 5, 0.5)
    append_to_log(log, [first])
    with log.open("a") as file:
        file.write("two, thr")
    assert read_log(log) == [first]
    assert begin_log(log) == [first]
    append_to_log(log, [second])
    assert read_log(log) == [first, second]


def an_own_study(**repeats: int) -> OwnStudy:
    trials = tuple(
        (name, number, replace(SETTING, name=f"{name}, repeat {number}"))
        for name, count in repeats.items()
        for number in range(1, count + 1)
    )
    epochs = {setting.name: 12 for _, _, setting in trials}
    return OwnStudy(Path("data"), 60000, 10000, trials, epochs, 2, Work(100e9, 80e9), Work(200e9, 160e9))


def log_of(**seconds: list[float]) -> list[TrialTime]:
    start = [TrialTime(START_UP, 3.0, 2.0, 0, 0.0), TrialTime(START_UP, 5.0, 4.0, 0, 0.0)]
    trials = [
        TrialTime(f"{name}, repeat {number}", wall, 2 * wall, 5, 0.9)
        for name, walls in seconds.items()
        for number, wall in enumerate(walls, 1)
    ]
    return start + trials


def test_a_loop_over_all_repeats_is_added_up_with_one_start_up_and_called_measured():
    total = add_up_trials(log_of(a=[10.0, 20.0], b=[7.0]), an_own_study(a=2, b=1))
    assert (total.wall_seconds, total.cpu_seconds, total.words) == (4 + 37, 3 + 74, "measured")


def test_a_loop_over_one_repeat_is_scaled_to_all_and_called_estimated():
    total = add_up_trials(log_of(a=[10.0], b=[7.0]), an_own_study(a=5, b=4))
    assert (total.wall_seconds, total.words) == (4 + 50 + 28, "ESTIMATED from 2 of them")


def test_trials_that_were_cut_are_counted_whole_and_called_estimated(tmp_path: Path):
    cut = TrialTime("a, repeat 1", 10.0, 15.0, 2, 0.9, True, 4.0, 6.0)
    log = tmp_path / "notebook.csv"
    begin_log(log)
    append_to_log(log, [*log_of(), cut, *log_of(b=[7.0])])
    total = add_up_trials(read_log(log), an_own_study(a=1, b=1))
    assert (total.wall_seconds, total.cpu_seconds) == (4 + 10 + 10 * 4 + 7, 3 + 15 + 10 * 6 + 14)
    assert total.words == "ESTIMATED from 2 of them, 1 of these from their first epochs"


def test_a_loop_that_lacks_a_setting_is_no_total():
    with pytest.raises(ValueError, match="the notebook loop has no time for b; run it again"):
        add_up_trials(log_of(a=[10.0]), an_own_study(a=1, b=1))


def test_the_work_of_an_epoch_is_two_convolutions_and_three_dense_products_an_image():
    work = count_work(Hyperparameters(filters=32, kernel_size=3, dense_units=16), 2, 1000, 100)
    convolution, dense = 26 * 26 * 9 * 32, 13 * 13 * 32 * 16 + 16 * 10
    assert work.every == 2 * (1000 * (2 * convolution + 3 * dense) + 100 * (convolution + dense))
    assert work.nonzero == 2 * (1000 * (1.25 * convolution + 3 * dense) + 100 * (convolution + dense))
    assert add_up([work, work]).every == 2 * work.every


def test_the_bound_is_two_operations_a_multiply_add_at_the_peak_of_all_cores():
    assert Work(every=100e9, nonzero=50e9).seconds(gflops=100.0, cores=2) == (1.0, 0.5)


def test_the_whole_study_is_compared_with_the_loop_and_each_with_its_own_bound():
    total = add_up_trials(log_of(a=[12.0, 24.0]), an_own_study(a=2))
    loop, ours, *bounds = compare_whole(an_own_study(a=2), MEASURED, total, Peak(100.0, None), cores=2)
    assert (loop.wall_seconds, ours.wall_seconds, ours.times_faster) == (40.0, 10.0, 4.0)
    assert (loop.share_every, ours.share_every, ours.share_nonzero) == (2 / 40, 1 / 10, 0.8 / 10)
    assert [bound.wall_seconds for bound in bounds] == [2.0, 1.6, 1.0, 0.8]


def test_the_peak_of_a_core_is_the_larger_of_what_was_measured():
    peak = measure_peak()
    assert peak.gflops == max(peak.matrix_product, peak.multiply_add_loop or 0.0) > 1.0
    assert Peak(90.0, None).words == "matrix product (NumPy) 90 GFLOP/s, multiply-add loop (C) no C compiler"
