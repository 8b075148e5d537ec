"""Prefect's pages in a real browser: the form of a run, what it refuses, and what a run leaves to be seen."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, TimeoutError, expect, sync_playwright

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
    submit_and_open(page, served)
    # Until then it has a name of Prefect's making.
    expect(page.get_by_text("UTC, by hand").first).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("Completed", exact=True).first).to_be_visible(timeout=PATIENCE)
    run = served.latest_run()
    asked = {"study": "smoke", "exercises": [1, 2], "repeats": 1, "fresh": True}
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
def test_what_the_form_cannot_know_is_refused_by_the_run_in_the_words_of_the_command_line(
    served: NightServer, browser_page: Page, tmp_path: Path
):
    page = browser_page
    open_form(page, served)
    field(page, "Study file").locator("textarea").fill(str(tmp_path / "none.yaml"))
    submit_and_open(page, served)
    expect(page.get_by_text("Failed", exact=True).first).to_be_visible(timeout=PATIENCE)
    assert f"there is no file {tmp_path / 'none.yaml'}" in served.latest_run()["state"]["message"]
