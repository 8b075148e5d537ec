"""The pages: links lead somewhere, commands are accepted as written, and what is named is there."""

import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import pytest

from study.spec import read_study
from tests.served import PROJECT
from tests.test_deploy import parse
from tests.toy import FinishedRun

README = PROJECT / "README.md"
PAGES = sorted(
    [README, PROJECT / "CONTRIBUTING.md", *PROJECT.glob("docs/*.md"), *PROJECT.glob("benchmarks/*/*.md")]
)
TEXTS = {page: page.read_text(encoding="utf-8") for page in PAGES}
MAKEFILE = (PROJECT / "Makefile").read_text(encoding="utf-8")
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))


def list_anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def list_commands() -> list[str]:
    """Every command of `study` or `dask` on the pages, without what a shell makes of it."""
    text = "\n".join(TEXTS.values()).replace("\\\n", " ")
    return sorted(set(re.findall(r"\.venv/bin/((?:study|dask) [a-z][^#&|'>`\n]+)", text)))


@each_page
def test_every_link_of_a_page_leads_somewhere(page: Path):
    for link in re.findall(r"\]\(([^)\s]+)\)", TEXTS[page]):
        if not link.startswith("https://"):
            name, _, anchor = link.partition("#")
            target = page.parent / name if name else page
            assert target.exists(), link
            assert not anchor or anchor in list_anchors(target), link


@pytest.mark.parametrize("command", list_commands())
def test_every_command_of_the_pages_is_accepted(command: str):
    parse(shlex.split(command))


@each_page
def test_commands_are_written_as_they_are_typed_in_the_project_s_folder(page: Path):
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", TEXTS[page], re.DOTALL))
    assert re.findall(r"^(?:study|dask|prefect|python|pip) .*", blocks, re.MULTILINE) == []
    assert re.findall(r"(?<!bin/)python -m (?:benchmarks|flows).*", TEXTS[page]) == []


@each_page
def test_what_a_page_names_is_there(page: Path):
    modules = set(re.findall(r"(?:python -m |`)((?:benchmarks|flows|tasks)\.[a-z_.]+)", TEXTS[page]))
    assert [module for module in modules if find_spec(module) is None] == []
    files = set(re.findall(r"`((?:tests|tasks|flows|study|storage|studies|deploy)/[\w/.-]+)`", TEXTS[page]))
    assert [file for file in files if not (PROJECT / file).exists()] == []
    targets = set(re.findall(r"(?:`|^)make ([a-z-]+)", TEXTS[page], re.MULTILINE))
    assert [target for target in targets if f"\n{target}:" not in MAKEFILE] == []


def test_a_run_leaves_what_the_tree_of_the_readme_shows(toy_run: FinishedRun):
    tree = TEXTS[README].partition("\nresults/\n")[2].partition("```")[0]
    folders = [""] * 3
    for line in tree.splitlines():
        indent, _, entry = line.partition("── ")
        names = re.sub("<.+?>", "*", re.split("  +", entry)[0]).split(", ")
        depth = len(indent) // 4
        for name in names:
            assert list(toy_run.results.folder.glob("".join(folders[:depth]) + name)), line
        folders[depth] = names[-1]


def test_the_studies_of_the_readme_are_some(tmp_path: Path):
    path = tmp_path / "study.yaml"
    new, extended, schema = re.findall(r"```yaml\n(.*?)```", TEXTS[README], re.DOTALL)
    assert (PROJECT / "studies" / schema.strip().rpartition("=")[2]).is_file()
    path.write_text(new, encoding="utf-8")
    assert read_study(str(path)).sweeps[0].parameter == "kernel_size"
    path.write_text(extended, encoding="utf-8")
    assert [each.number for each in read_study(str(path)).exercises] == [1, 2, 3, 4, 5, 6, 7]
