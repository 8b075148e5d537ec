"""Prefect's pages in a real browser: the form of a run, what it refuses, and what a run leaves to be seen."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Request, TimeoutError, expect, sync_playwright

from tests.night_server import NightServer, start_serving
from tests.waiting import WAIT_SECONDS, wait_until

PATIENCE = 1000 * WAIT_SECONDS
"""Milliseconds, as Playwright counts."""

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)

pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="no browser: install Debian's chromium to try Prefect's pages"
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NightServer]:
    server = start_serving(tmp_path_factory.mktemp("ui") / "home")
    try:
        server.wait_for_deployments()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def browser_page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        # In a container Chromium's own sandbox cannot start.
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 1800})
        page.set_default_timeout(PATIENCE)
        yield page
        browser.close()


FORWARD = """
import asyncio, sys

async def pass_on(reader, writer):
    try:
        while some := await reader.read(65_536):
            writer.write(some)
            await writer.drain()
    finally:
        writer.close()

async def forward(near, back):
    far, to_far = await asyncio.open_connection("127.0.0.1", int(sys.argv[1]))
    await asyncio.gather(pass_on(near, to_far), pass_on(far, back), return_exceptions=True)

async def main():
    server = await asyncio.start_server(forward, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""


@pytest.fixture
def forwarded(served: NightServer) -> Iterator[str]:
    """The address of another port, from which every connection is passed on, as `ssh -L` does."""
    command = [sys.executable, "-c", FORWARD, served.url.rpartition(":")[2]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        yield f"http://127.0.0.1:{int(program.stdout.readline())}"
        program.kill()


def field(page: Page, title: str) -> Locator:
    """A field of the form; the innermost that bears the title, as the form itself is one too."""
    label = page.get_by_text(f"{title} (Optional)", exact=True)
    return page.locator(".schema-form-property", has=label).last


def choose(page: Page, title: str, *options: str) -> None:
    # By key: a click as quick as this one's opens the list and closes it again.
    field(page, title).locator("fieldset button").press("Space")
    for option in options:
        page.locator(".p-select-option", has_text=option).click()
    page.keyboard.press("Escape")


def open_form(page: Page, served: NightServer) -> None:
    deployment = served.deployment("on-demand")
    page.goto(f"{served.url}/deployments/deployment/{deployment['id']}")
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_text("Custom run").click()
    expect(field(page, "Study")).to_be_visible()


def submit(page: Page) -> None:
    page.get_by_role("button", name="Submit").click()


def submit_and_open(page: Page, served: NightServer) -> None:
    """Submit the form until the server takes it, then open the page of the run that it made.

    A server whose database is busy refuses at once; a person clicks again. The link that pops up goes soon.
    """

    def made() -> str | None:
        try:
            with page.expect_response("**/create_flow_run", timeout=30_000) as answer:
                submit(page)
        except TimeoutError:
            return None
        return str(answer.value.json()["id"]) if answer.value.ok else None

    page.goto(f"{served.url}/runs/flow-run/{wait_until(made)}")


def test_a_run_is_asked_for_in_the_form_and_its_report_is_read_there(
    served: NightServer, browser_page: Page, tmp_path: Path
):
    page = browser_page
    open_form(page, served)
    choose(page, "Study", "smoke")
    choose(page, "Exercises", "1", "2")
    field(page, "Repeats").locator("input").fill("1")
    field(page, "Train everything fresh").get_by_role("switch").click()
    field(page, "Results folder").locator("textarea").fill(str(tmp_path / "results"))
    page.locator(".flow-run-name-input input").fill("before the talk")
    submit_and_open(page, served)
    expect(page.get_by_text("Completed", exact=True).first).to_be_visible(timeout=PATIENCE)
    run = served.latest_run()
    asked = {"study": "smoke", "exercises": [1, 2], "repeats": 1, "fresh": True}
    assert run["name"] == "before the talk"
    assert run["parameters"]["run"].items() >= asked.items()
    assert run["state"]["message"].startswith("2 trials, 0 failed, best ")
    assert {"smoke", "exercise-1", "exercise-2", "on-demand"} == set(run["tags"])
    page.get_by_text("Artifacts", exact=True).last.click()
    page.get_by_role("link", name="report").or_(page.get_by_text("report", exact=True)).last.click()
    expect(page.get_by_text("How does the number of filters").first).to_be_visible()
    assert list((tmp_path / "results" / "runs").glob("*/report.html"))


@pytest.mark.slow
def test_a_value_that_is_not_allowed_is_refused_with_its_reason(served: NightServer, browser_page: Page):
    page, before = browser_page, len(served.asked_runs())
    open_form(page, served)
    field(page, "Lanes").locator("input").fill("-1")
    submit(page)
    expect(page.get_by_text("-1 is less than the minimum of 0").first).to_be_visible()
    assert len(served.asked_runs()) == before


@pytest.mark.slow
def test_what_the_form_cannot_know_is_refused_by_the_run_with_its_reason_alone(
    served: NightServer, browser_page: Page, tmp_path: Path
):
    page = browser_page
    open_form(page, served)
    field(page, "Study file").locator("textarea").fill(str(tmp_path / "none.yaml"))
    submit_and_open(page, served)
    expect(page.get_by_text("Failed", exact=True).first).to_be_visible(timeout=PATIENCE)
    run = served.latest_run()
    file = tmp_path / "none.yaml"
    assert run["state"]["message"].startswith(f"study '{file}' not found: there is no file {file}; give one")
    assert run["name"].endswith("UTC, by hand")  # in place of the name that the form had made up
    body = {"logs": {"flow_run_id": {"any_": [run["id"]]}}}
    logged = wait_until(
        lambda: "Finished in state" in (said := str(served.ask("logs/filter", body))) and said
    )
    assert "Traceback" not in logged


@pytest.mark.slow
def test_the_pages_work_at_a_forwarded_address_and_ask_no_other(
    served: NightServer, browser_page: Page, forwarded: str
):
    page, asked = browser_page, list[Request]()
    page.on("request", lambda each: asked.append(each))
    deployment, pool = served.deployment("nightly")["id"], "work-pools/work-pool/study"
    # Who switches to the newer UI gets it; its tracker is refused.
    for start in ("", "v2/"):
        pages = ("dashboard", "runs", f"deployments/deployment/{deployment}", pool, "automations", "events")
        for path in pages:
            page.goto(f"{forwarded}/{start}{path}")
            page.wait_for_load_state("networkidle")
        page.goto(f"{forwarded}/{start}deployments")
        expect(page.get_by_text("on-demand").first).to_be_visible()
    page.goto(forwarded)
    page.wait_for_url("**/dashboard")
    assert page.url.startswith(f"{forwarded}/dashboard")
    page.goto(f"{forwarded}/docs")
    page.wait_for_load_state("networkidle")
    sent = [each for each in asked if not each.url.startswith(("data:", f"blob:{forwarded}", forwarded))]
    assert {each.failure for each in sent} <= {"csp"}  # the browser has refused to send it
