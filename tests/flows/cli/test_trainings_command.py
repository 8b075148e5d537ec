"""`study trainings` lists the kept trainings; `study verify` finds the damaged ones."""

import json

from storage.results import Results
from tests.aged_runs import keep_training
from tests.command import study


def run(results: Results, *arguments: object) -> tuple[int, str]:
    done = study(*arguments, "--results", results.folder)
    assert done.err == ""
    return done.code, done.out


def test_kept_trainings_are_listed_with_their_size(results: Results):
    keys = [keep_training(results, seed) for seed in (1, 2)]
    code, out = run(results, "trainings")
    assert code == 0
    assert all(key in out for key in keys)
    assert "filters=7 seed=2" in out
    assert "2 trainings, 0.0 MB in" in out


def test_an_empty_cache_is_no_error(results: Results):
    assert run(results, "trainings") == (0, f"0 trainings, 0.0 MB in {results.trainings}\n")


def test_damage_is_found_and_said(results: Results):
    sound, bad, unfinished = keep_training(results, 1), keep_training(results, 2), keep_training(results, 3)
    path = results.trainings / bad / "record.json"
    envelope = json.loads(path.read_text())
    envelope["record"]["epochs"][0]["test_accuracy"] = 0.5
    path.write_text(json.dumps(envelope))
    (results.trainings / unfinished / "record.json").unlink()
    code, out = run(results, "verify")
    assert code == 1
    again = "; the next run that needs it trains it again\n"
    assert f"{path} is damaged: its checksum does not fit{again}" in out
    assert f"{results.trainings / unfinished} has no record: it was never finished{again}" in out
    assert "3 kept trainings: 1 sound, 2 damaged\n" in out
    code, out = run(results, "trainings")
    assert code == 0
    assert "2 not readable (`study verify` says why)" in out
    assert sound in out
