"""The study of `docs/own-study.md`, as it stands there: read, run, published and replayed."""

import json
import re
from pathlib import Path

import pytest

from storage.results import results_at
from storage.tables import read_run
from study.plan import list_trials
from study.spec.study_file import read_study
from tests.command import run_study, study

PAGE = Path(__file__).parents[1] / "docs" / "own-study.md"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files of the page."""
    blocks = dict(re.findall(r"```(python|yaml)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))
    for kind, name in (("python", "network.py"), ("yaml", "mine.yaml")):
        (tmp_path / name).write_text(blocks[kind], encoding="utf-8")
    return tmp_path


AND_A_MODEL = """
  - {number: 3, kind: optimum, title: Optimum, question: Which?, combine: [1, 2]}
  - {number: 4, kind: model, title: Model, question: Does it load?, file_name: own}
"""


def test_the_study_of_the_page_is_one(folder: Path):
    mine = read_study(str(folder / "mine.yaml"))
    names = list(dict.fromkeys(trial.name for trial in list_trials(mine)))
    assert names == ["depth=1", "depth=2", "dropout=0", "dropout=0.3"]


@pytest.mark.slow
def test_it_is_run_published_and_replayed_and_a_changed_network_is_not(folder: Path, server: None):
    done = run_study("mine.yaml", folder=folder)
    assert done.code == 0, done.err
    trials = read_run(results_at(folder / "results"), None).trials
    assert {trial.status for trial in trials} == {"completed"}
    own = [json.loads(trial.network_parameters or "{}") for trial in trials]
    assert own[0] == {"activation": "relu", "depth": 1, "width": 8}
    assert {(trial.filters, trial.dropout, trial.optimizer, trial.engine) for trial in trials} == {
        (0, 0.0, "adam", "keras"), (0, 0.3, "adam", "keras")
    }  # fmt: skip
    assert all(trial.network == "network.py:build" and trial.parameters for trial in trials)
    with (folder / "mine.yaml").open("a", encoding="utf-8") as file:
        file.write(AND_A_MODEL)
    again = run_study("mine.yaml", folder=folder)
    assert "12 reused" in again.out
    assert "Saved and loaded again, the model gives the same outputs on every test image." in again.out
    (card,) = folder.glob("results/runs/*/model/model_card.md")
    assert "network.py:build, SHA-256" in card.read_text(encoding="utf-8")
    assert "dense_units" not in card.read_text(encoding="utf-8")
    row = ("replay", "--trial", "2/dropout=0.3/2", "--lanes", 0)
    assert "1 equal" in study(*row, "--study", "mine.yaml", folder=folder).out
    unnamed = study(*row, folder=folder)
    assert unnamed.code == 1
    assert "network.py:build is code, which results do not hold; give its study, --study FILE" in unnamed.out
    with (folder / "network.py").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    changed = study(*row, "--study", "mine.yaml", folder=folder)
    assert changed.code == 1
    assert "not trained: network.py:build of the study has the SHA-256" in changed.out
