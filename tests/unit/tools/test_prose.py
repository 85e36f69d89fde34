"""The prose checks find what they should, in every kind of text, and pass code and good sentences."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from proselint import checks as shipped

from tools.prose.__main__ import main
from tools.prose.passages import (
    Passage,
    code_passages,
    document_passages,
    help_passages,
    make_passages,
    page_passages,
    without_code,
)
from tools.prose.phrases import (
    Phrase,
    mood_findings,
    phrase_findings,
    read_phrases,
    read_verbs,
)
from tools.prose.proselint_checks import proselint_findings, read_settings

CHECKOUT = Path(__file__).resolve().parents[3]
PHRASES = read_phrases()
SOURCE = '''"""Rules of a module."""

# A comment of
# two lines.
LIMIT = 3  # a lone remark


class Shop:
    """A shop."""

    @property
    def name(self) -> str:
        """Name of the shop."""
        return f"the shop {self} has no name"

    def open(self) -> None:
        """Open the shop.

        >>> Shop().open()
        """
        print("closed")
'''


def in_kind(text: str, phrase: Phrase) -> Passage:
    return Passage("page.md", 1, text, min(phrase.kinds))


@pytest.mark.parametrize("phrase", PHRASES, ids=lambda phrase: phrase.pattern.pattern)
def test_each_phrase_finds_its_bad_example_and_passes_its_good_one(phrase: Phrase) -> None:
    assert list(phrase.findings(in_kind(phrase.bad, phrase)))
    assert not list(phrase.findings(in_kind(phrase.good, phrase)))


@pytest.mark.parametrize("phrase", PHRASES, ids=lambda phrase: phrase.pattern.pattern)
def test_each_phrase_states_what_to_write_instead_and_why(phrase: Phrase) -> None:
    assert phrase.use
    assert phrase.why


def test_a_phrase_is_found_across_a_line_break_and_reported_where_it_begins() -> None:
    passage = Passage("docs/page.md", 10, "One line.\nThe gate said\nno.", "document")
    (finding,) = phrase_findings([passage], PHRASES)
    assert str(finding).startswith("docs/page.md:11: 'said no': use failed")


def test_a_phrase_counts_only_in_its_kinds_of_text() -> None:
    gives = [Passage("module.py", 1, "Gives the paths.", kind) for kind in ("docstring", "comment")]
    assert len(list(phrase_findings(gives[:1], PHRASES))) == 1
    assert not list(phrase_findings(gives[1:], PHRASES))


def test_code_links_and_addresses_are_not_read_as_prose() -> None:
    code = "Run `x said no` and\n```\nsaid no.\n```\n>>> a = .5\n"
    text = f"{code}[here](said_no.md) <!-- said no. --> https://example.org/+.5\n"
    assert without_code(text).count("\n") == text.count("\n")
    assert not list(phrase_findings([Passage("page.md", 1, without_code(text), "document")], PHRASES))


def test_docstrings_messages_and_comments_of_a_module_are_distinguished() -> None:
    found = [(passage.kind, passage.line, passage.text.split("\n")[0]) for passage in code_passages(SOURCE, "shop.py")]
    assert found == [
        ("docstring", 1, "Rules of a module."),
        ("docstring", 9, "A shop."),
        ("docstring", 13, "Name of the shop."),
        ("message", 14, "the shop ─ has no name"),
        ("function", 17, "Open the shop."),
        ("comment", 3, "A comment of"),
        ("comment", 5, "a lone remark"),
    ]


@pytest.mark.parametrize("docstring", ["Gives the paths.", "The paths.", "Whether it is open.", "Returns it."])
def test_the_docstring_of_a_function_must_begin_with_an_imperative(docstring: str) -> None:
    passages = [Passage("shop.py", 4, text, "function") for text in (docstring, "Return the paths.")]
    (finding,) = mood_findings(passages, read_verbs())
    assert finding.found == docstring.split(maxsplit=1)[0]


def test_the_verbs_are_sorted_and_in_the_imperative() -> None:
    kept = (CHECKOUT / "tools" / "prose" / "verbs.txt").read_text(encoding="utf-8").split()
    assert kept == sorted(set(kept))
    assert {verb for verb in kept if verb.endswith("s") and not verb.endswith("ss")} <= {"Focus"}
    assert not {"Give", "Tell"} & set(kept)


def test_the_help_of_every_command_and_option_is_read() -> None:
    helped = {passage.place: passage.text for passage in help_passages()}
    assert {
        "passport --help",
        "passport score --help",
        "passport ingest --seller",
        "passport contract diff --help",
    } <= set(helped)
    assert all(passage.kind == "help" for passage in help_passages())


def test_what_make_says_of_its_targets_is_read(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text("# Targets.\nrun: world ## Run the pipeline\n\techo # no help\n", "utf-8")
    assert list(make_passages(tmp_path)) == [Passage("Makefile", 2, "Run the pipeline", "help")]
    assert len(list(make_passages(CHECKOUT))) > 20


def test_the_english_words_of_the_pages_are_read_and_the_chinese_ones_are_not(tmp_path: Path) -> None:
    folder = tmp_path / "pipelines" / "reports" / "texts"
    folder.mkdir(parents=True)
    (folder / "page.toml").write_text('# Words.\n\ntitle = { en = "The gate", zh = "准入" }\n', encoding="utf-8")
    assert list(page_passages(tmp_path)) == [Passage("pipelines/reports/texts/page.toml", 3, "The gate", "page")]
    assert len(list(page_passages(CHECKOUT))) > 300


def test_english_documents_are_read_and_chinese_ones_are_not(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for name in ("README.md", "docs/guide.md", "docs/guide.zh.md"):
        (tmp_path / name).write_text("Text.\n", encoding="utf-8")
    assert [passage.place for passage in document_passages(tmp_path)] == ["README.md", "docs/guide.md"]


def test_proselint_reads_documents_but_no_code_and_names_its_check() -> None:
    passages = [Passage("page.md", 5, "First.\nThis is very unique.", kind) for kind in ("document", "function")]
    findings = list(proselint_findings(passages))
    assert {finding.line for finding in findings} == {6}
    assert any("uncomparables" in finding.advice and "very unique" in finding.found for finding in findings)


def test_phrases_allowed_in_the_settings_pass() -> None:
    _, allowed = read_settings()
    assert allowed
    passages = [Passage("page.md", 1, f"It counts {phrase}.", "document") for phrase in allowed]
    assert not list(proselint_findings(passages))


def test_every_check_that_is_switched_off_exists() -> None:
    checks, _ = read_settings()
    names = {check.path for check in shipped.__register__}
    off = [name for name, is_on in checks.items() if not is_on and name != "restricted"]
    assert off
    assert set(off) <= names


@pytest.mark.slow
def test_the_command_passes_the_checks_themselves_and_fails_on_a_name_that_matches_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["tools/"]) == 0
    assert main(["no/such/folder"]) == 1
    assert "nothing to check in no/such/folder" in capsys.readouterr().out


def test_the_command_names_the_file_and_line_of_a_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "README.md").write_text("# Title\n\nA gate said no.\n", encoding="utf-8")
    (tmp_path / "Makefile").touch()
    monkeypatch.setattr("tools.prose.__main__.CHECKOUT", tmp_path)
    assert main(["README.md"]) == 1
    assert capsys.readouterr().out.startswith("README.md:3: 'said no'")


def test_codespell_reads_our_settings_and_finds_a_misspelling(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("A fulfilment centre.\nWe recieve it.\n", encoding="utf-8")
    command = [str(Path(sys.executable).with_name("codespell")), "--toml", str(CHECKOUT / "pyproject.toml")]
    done = subprocess.run([*command, "page.md"], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.stdout.strip() == "page.md:2: recieve ==> receive"
    assert done.returncode != 0
