"""Gather the pages of the documentation site in one folder, with links that hold there."""

from __future__ import annotations

import posixpath
import re
import shutil
from typing import TYPE_CHECKING

from tools.prose.passages import CODE

if TYPE_CHECKING:
    from pathlib import Path

# Kept at the root of the checkout, where people and hosting services look for them.
ROOT_PAGES = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "GLOSSARY.md": "glossary.md",
    "README.md": "index.md",
    "SECURITY.md": "security.md",
}
_LINK = re.compile(r"(?P<image>!?)\[(?P<label>[^\]]*)\]\((?P<path>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")


def page_places(checkout: Path) -> dict[str, str]:
    """Return where each file of the site is kept in the checkout, and where it is on the site."""
    docs = checkout / "docs"
    places = {f"docs/{name}": name for name in (path.relative_to(docs).as_posix() for path in docs.rglob("*.*"))}
    notebooks = (path.stem for path in (checkout / "notebooks").glob("*.py"))
    return places | ROOT_PAGES | {f"notebooks/{name}.py": f"notebooks/{name}.md" for name in notebooks}


def gather_pages(checkout: Path, target: Path) -> None:
    """Write every document of the checkout to the target folder, which is emptied first.

    The front page of the site is ``docs/index.md``; links to ``README.md`` lead there.
    """
    shutil.rmtree(target, ignore_errors=True)
    places = page_places(checkout)
    for source, place in places.items():
        kept, written = checkout / source, target / place
        if source == "README.md" or kept.suffix == ".py":
            continue
        written.parent.mkdir(parents=True, exist_ok=True)
        if kept.suffix == ".md":
            text = with_site_links(kept.read_text(encoding="utf-8"), source, places, checkout)
            written.write_text(text, encoding="utf-8")
        else:
            shutil.copyfile(kept, written)


def with_site_links(text: str, source: str, places: dict[str, str], checkout: Path) -> str:
    """Return a page with the links between files of the checkout turned into links between pages of the site.

    A link to a file that is not on the site becomes its label. A link to nothing stays, so that the build refuses it.
    """
    page = posixpath.dirname(places[source])
    code = [found.span() for found in CODE.finditer(text)]

    def on_site(link: re.Match[str]) -> str:
        path = link["path"]
        if "://" in path or path.startswith("mailto:") or any(start < link.start() < end for start, end in code):
            return link.group()
        kept = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        if kept in places:
            return f"{link['image']}[{link['label']}]({posixpath.relpath(places[kept], page)}{link['anchor'] or ''})"
        return link["label"] if (checkout / kept).exists() else link.group()

    return _LINK.sub(on_site, text)
