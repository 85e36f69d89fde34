"""Passages of English that people read, each with the file and line it comes from."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeGuard

import typer

from pipelines.cli import app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Kind = Literal["document", "help", "page", "function", "docstring", "message", "comment"]

DOCUMENTS = ("README.md", "GLOSSARY.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs/**/*.md")
CODE_FOLDERS = (
    "data_contracts",
    "features",
    "lending",
    "models",
    "pipelines",
    "simulator",
    "benchmarks",
    "notebooks",
    "tools",
)
PAGE_TEXTS = "pipelines/reports/texts/*.toml"

CODE = re.compile(
    r"^(?P<fence>```|~~~).*?^(?P=fence)[^\n]*$"  # fenced
    r"|(?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`)",  # inline
    re.DOTALL | re.MULTILINE,
)
_NO_PROSE = re.compile(
    r"<!--.*?-->"
    r"|(?<=\]\()[^)\s]+"  # target of a link
    r"|https?://\S+"
    r"|^[ \t]*(?:>>>|(?:Example: )?passport [a-z]+ )[^\n]*$",  # doctest, command line
    re.DOTALL | re.MULTILINE,
)
_SENTENCE = re.compile(r"[A-Za-z]+,? [a-z]+,? [a-z]+")


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of prose.

    Attributes:
        place: File relative to the checkout, or the command line whose help it is.
        line: Line of the file on which the text begins, counted from 1.
        text: The text, with code replaced by dashes of the same length.
        kind: What sort of text it is.
    """

    place: str
    line: int
    text: str
    kind: Kind


def without_code(text: str) -> str:
    """Return the text with code, link targets and addresses replaced by dashes; line breaks stay where they are."""
    for pattern in (CODE, _NO_PROSE):
        text = pattern.sub(lambda found: re.sub(r"[^\n]", "─", found.group()), text)
    return text


def all_passages(checkout: Path) -> Iterator[Passage]:
    """Yield every English passage of the checkout."""
    yield from document_passages(checkout)
    yield from help_passages()
    yield from make_passages(checkout)
    yield from page_passages(checkout)
    for folder in CODE_FOLDERS:
        for path in sorted((checkout / folder).rglob("*.py")):
            yield from code_passages(path.read_text(encoding="utf-8"), path.relative_to(checkout).as_posix())


def document_passages(checkout: Path) -> Iterator[Passage]:
    """Yield each English Markdown document as one passage."""
    for pattern in DOCUMENTS:
        for path in sorted(checkout.glob(pattern)):
            if not path.name.endswith(".zh.md"):
                text = path.read_text(encoding="utf-8")
                yield Passage(path.relative_to(checkout).as_posix(), 1, without_code(text), "document")


def page_passages(checkout: Path) -> Iterator[Passage]:
    """Yield the English words of the report pages, one passage a key."""
    for path in sorted(checkout.glob(PAGE_TEXTS)):
        text = path.read_text(encoding="utf-8")
        lines = {line.split("=")[0].strip(): number for number, line in enumerate(text.splitlines(), 1) if "=" in line}
        for key, words in tomllib.loads(text).items():
            yield Passage(path.relative_to(checkout).as_posix(), lines.get(key, 1), words["en"], "page")


def help_passages() -> Iterator[Passage]:
    """Yield the help of every command and of every argument and option."""
    yield from _help_of(typer.main.get_command(app), "passport")


def make_passages(checkout: Path) -> Iterator[Passage]:
    """Yield what ``make help`` says of each target."""
    for number, line in enumerate((checkout / "Makefile").read_text(encoding="utf-8").splitlines(), 1):
        if described := re.match(r"[a-z-]+:.*## (.*)", line):
            yield Passage("Makefile", number, described[1], "help")


def _help_of(command: Any, name: str) -> Iterator[Passage]:  # noqa: ANN401 - typer hides the type of its commands
    """Yield the help of one command, its parameters and its subcommands."""
    yield Passage(f"{name} --help", 1, without_code(command.help or ""), "help")
    for parameter in command.params:
        if text := getattr(parameter, "help", None):
            yield Passage(f"{name} {parameter.opts[0]}", 1, without_code(text), "help")
    for subname, subcommand in getattr(command, "commands", {}).items():
        yield from _help_of(subcommand, f"{name} {subname}")


def code_passages(source: str, place: str) -> Iterator[Passage]:
    """Yield the docstrings, messages and comments of a Python source text."""
    tree = ast.parse(source)
    of_functions = {id(node.body[0].value) for node in ast.walk(tree) if _is_documented_function(node)}
    for node, is_docstring in _strings(tree):
        text = _text_of(node)
        kind: Kind = "message"
        if is_docstring:
            kind = "function" if id(node) in of_functions else "docstring"
        elif not _SENTENCE.search(text):
            continue
        yield Passage(place, node.lineno, without_code(text), kind)
    yield from _comments(source, place)


def _is_documented_function(node: ast.AST) -> TypeGuard[Any]:
    """Return whether a node defines a function or method with a docstring; a property reads as an attribute."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or ast.get_docstring(node) is None:
        return False
    return not any(ast.unparse(decorator).endswith("property") for decorator in node.decorator_list)


def _strings(tree: ast.AST, *, in_statement: bool = False) -> Iterator[tuple[ast.Constant | ast.JoinedStr, bool]]:
    """Yield each string of a syntax tree and whether it is a docstring; the parts of an f-string are one string."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str)):
            yield node, in_statement
        else:
            yield from _strings(node, in_statement=isinstance(node, ast.Expr))


def _text_of(node: ast.Constant | ast.JoinedStr) -> str:
    """Return the words of a string, with a dash for each value that an f-string fills in."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "─" for part in node.values)


def _comments(source: str, place: str) -> Iterator[Passage]:
    """Yield the comments of a Python source text; lines below one another are one passage."""
    block: list[str] = []
    after = (0, 0)  # where a further line of the block would begin
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        row, column = token.start
        if block and token.start != after:
            yield Passage(place, after[0] - len(block), without_code("\n".join(block)), "comment")
            block = []
        block.append(token.string.lstrip("#").strip())
        after = (row + 1, column)
    if block:
        yield Passage(place, after[0] - len(block), without_code("\n".join(block)), "comment")
