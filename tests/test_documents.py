"""What the documents print is true: figures come from JSON, commands exist and run."""

import re
import shlex
from pathlib import Path

import pytest

from apps import documents
from apps.cli import APPS, parser

ROOT = Path(__file__).parents[1]
MADE = re.compile(r"^(?:\.venv/bin/)?lineside ([^#`|…\n]*)", re.MULTILINE)


@pytest.mark.parametrize("path", documents.DOCUMENTS, ids=lambda path: str(path.parent.name))
def test_generated_parts_are_what_their_sources_say(path):
    text = path.read_text()
    assert documents.rewritten(text) == text, "run: python -m apps.documents"


def commands() -> list[str]:
    found = set()
    for path in documents.DOCUMENTS:
        text = path.read_text()
        found.update(MADE.findall("\n".join(re.findall(r"```\n(.*?)```", text, re.DOTALL))))
        found.update(re.findall(r"^\| `lineside ([^`]*)`", text, re.MULTILINE))
    return sorted(found)


@pytest.mark.parametrize("command", commands())
def test_every_command_in_a_readme_is_understood(command):
    words = shlex.split(command.replace("\n", " "))
    options = parser().parse_args([APPS[0] if word == "APP" else word for word in words])
    assert callable(options.run)


def test_make_targets_in_the_readme_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`make ([a-z-]+)`", (ROOT / "README.md").read_text()):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("path", [*documents.DOCUMENTS, ROOT / "CONTRIBUTING.md"])
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\((?!http)([^)#]+)", path.read_text()):
        assert (path.parent / target).exists(), target


def test_every_test_that_a_readme_names_exists():
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "README.md").read_text()))
    written = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)\(", path.read_text())
    }
    assert named
    assert named <= written
