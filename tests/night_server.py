"""`study serve`, or a bare Prefect server, with what tests of nights ask it and do to it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psutil

from tests.command import STUDY
from tests.prefect_home import prepare_home
from tests.served import PROJECT, ask, free_port
from tests.waiting import WAIT_SECONDS, wait_until

PREFECT = Path(sys.executable).with_name("prefect")


@dataclass(frozen=True)
class NightServer:
    """A server that is asked of deployments, runs, alarms and events."""

    url: str
    process: "subprocess.Popen[bytes]"
    log: Path

    def ask(self, path: str, body: Any = None, method: str | None = None) -> Any:
        """What Prefect's API answers to a question, posted where it has a body and no method."""
        return ask(self.url, path, body, method=method)

    def wait_for_deployments(self) -> list[dict[str, Any]]:
        """The deployments, once all of them refuse unknown parameters."""
        return list(wait_until(lambda: len(found := self._strict()) >= 3 and found))

    def deployment(self, name: str) -> dict[str, Any]:
        return next(each for each in self.ask("deployments/filter", {}) if each["name"] == name)

    def latest_run(self) -> dict[str, Any]:
        """The run that began last."""
        body = {"sort": "START_TIME_DESC", "limit": 1, "flow_runs": {"start_time": {"is_null_": False}}}
        return dict(self.ask("flow_runs/filter", body)[0])

    def asked_runs(self) -> list[dict[str, Any]]:
        """The runs that somebody asked for; those of the schedule come by themselves."""
        return [each for each in self.ask("flow_runs/filter", {}) if not each["auto_scheduled"]]

    def _strict(self) -> list[dict[str, Any]]:
        found = self.ask("deployments/filter", {})
        return [
            each for each in found if each["parameter_openapi_schema"].get("additionalProperties") is False
        ]

    def said(self) -> str:
        """What it said on its terminal."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait_until_served(self) -> Self:
        """Wait until everything of `study serve` runs."""
        wait_until(lambda: "started!" in self.said() or self.process.poll() is not None)
        assert self.process.poll() is None, self.said()
        return self

    def part(self, what: str) -> psutil.Process:
        """The process of a part, by what its command line says."""
        children = psutil.Process(self.process.pid).children()
        (found,) = [each for each in children if what in " ".join(each.cmdline())]
        return found

    def submit(self, name: str, parameters: dict[str, Any]) -> str:
        """Ask for a run of a deployment; its id."""
        deployment = self.deployment(name)
        run = self.ask(f"deployments/{deployment['id']}/create_flow_run", {"parameters": parameters})
        return str(run["id"])

    def run(self, flow_run: str) -> dict[str, Any]:
        """A flow run as it stands."""
        return dict(self.ask(f"flow_runs/{flow_run}"))

    def wait(self, flow_run: str, *types: str) -> dict[str, Any]:
        """A flow run as soon as its state is of one of the types."""

        def look() -> dict[str, Any] | None:
            run = self.run(flow_run)
            return run if run["state_type"] in types else None

        return dict(wait_until(look))

    def runs_of(self, flow: str, *types: str) -> list[dict[str, Any]]:
        """A flow's runs in states of the types, those first that are due first."""
        body = {
            "flows": {"name": {"any_": [flow]}},
            "flow_runs": {"state": {"type": {"any_": list(types)}}},
            "sort": "EXPECTED_START_TIME_ASC",
        }
        return list(self.ask("flow_runs/filter", body))

    def find_alarm(self, *words: str) -> dict[str, Any] | None:
        """The alarm whose name has all the words; None if there is none within a minute."""

        def look() -> dict[str, Any] | None:
            ended = self.runs_of("alarm", "COMPLETED", "FAILED")
            return next((run for run in ended if all(word in run["name"] for word in words)), None)

        try:
            return dict(wait_until(look, seconds=60))
        except TimeoutError:
            return None

    def events(self, name: str) -> list[dict[str, Any]]:
        """The events of a name that it has kept, which it does every few seconds."""
        return list(self.ask("events/filter", {"filter": {"event": {"name": [name]}}})["events"])

    def kill(self) -> None:
        """Kill it, and nothing that it has started: that has sessions of its own."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """Stop it in order."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.kill()


def clean_environment(home: Path, **further: str) -> dict[str, str]:
    """The environment without what tests have set of Prefect."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return {**kept, "PREFECT_HOME": str(prepare_home(home)), **further}


def run_program(program: str, home: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a program of Python's in the project's folder, with a home of Prefect's of its own."""
    command, settings = [sys.executable, "-c", program], clean_environment(home, **environment)
    return subprocess.run(
        command, cwd=PROJECT, env=settings, capture_output=True, text=True, timeout=WAIT_SECONDS, check=False
    )


def start_serving(home: Path, **environment: str) -> NightServer:
    """Start `study serve` on a free port, from a folder that is not the project's."""
    port = free_port()
    return _start([STUDY, "serve", "--port", str(port)], port, home, clean_environment(home, **environment))


@contextmanager
def bare_server(home: Path, **environment: str) -> Iterator[NightServer]:
    """A Prefect server as somebody else runs it, without anything of ours."""
    port = free_port()
    quiet = {"DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    settings = clean_environment(home, **quiet, **environment)
    server = _start([PREFECT, "server", "start", "--port", str(port)], port, home, settings)
    try:
        wait_until(lambda: server.ask("health"))
        yield server
    finally:
        server.stop()


def _start(command: list[Any], port: int, home: Path, environment: dict[str, str]) -> NightServer:
    path = home.with_name(f"{home.name}-{port}.log")
    with path.open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=home.parent,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return NightServer(f"http://127.0.0.1:{port}", process, path)


def process_of(flow_run: str) -> psutil.Process:
    """The process that executes a flow run; its lanes have the id too."""
    starters: dict[psutil.Process, int] = {}
    for each in psutil.process_iter():
        try:
            if each.environ().get("PREFECT__FLOW_RUN_ID") == flow_run and "prefect.engine" in each.cmdline():
                starters[each] = each.ppid()
        except psutil.Error:
            continue
    # What it starts is, between fork and exec, a copy of it: the same command line and environment.
    found = {each.pid for each in starters}
    (process,) = [each for each, starter in starters.items() if starter not in found]
    return process
