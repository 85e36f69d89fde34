"""Build the site with MkDocs, strictly: any warning, such as a broken link, fails the build."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeAlias

import jieba
from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.exceptions import Abort

if TYPE_CHECKING:
    from pathlib import Path

Navigation: TypeAlias = "str | list[Navigation] | dict[str, Navigation]"


class SiteRefused(Exception):
    """The pages have faults, which were printed one by one."""


def build_site(settings: Path, pages: Path, site: Path) -> None:
    """Build the site of the gathered pages; only warnings are printed.

    Raises:
        SiteRefused: A link leads nowhere, a page is missing from the navigation, or MkDocs warned of something else.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("site: %(message)s"))
    logger = logging.getLogger("mkdocs")
    logger.setLevel(logging.WARNING)
    logger.addHandler(handler)
    jieba.setLogLevel(logging.WARNING)
    config = load_config(str(settings), docs_dir=str(pages.resolve()), site_dir=str(site.resolve()))
    config.nav = filled_navigation(config.nav or [], pages)
    config.plugins.on_startup(command="build", dirty=False)
    try:
        build(config)
    except Abort as error:
        raise SiteRefused(str(error)) from error
    finally:
        config.plugins.on_shutdown()
        logger.removeHandler(handler)


def filled_navigation(entries: Navigation, pages: Path) -> Navigation:
    """Return the navigation with each folder, an entry that ends with a slash, replaced by its pages in order of name.

    The page README.md of a folder is left out, since the navigation names it by itself.
    """
    if isinstance(entries, dict):
        return {title: filled_navigation(entry, pages) for title, entry in entries.items()}
    if isinstance(entries, str):
        return _pages_in(pages, entries) if entries.endswith("/") else entries
    filled: list[Navigation] = []
    for entry in entries:
        place = filled_navigation(entry, pages)
        filled += place if isinstance(place, list) else [place]
    return filled


def _pages_in(pages: Path, folder: str) -> list[Navigation]:
    """Return the English pages of a folder; the plugin for languages finds the Chinese ones itself."""
    names = (path.name for path in (pages / folder).glob("*.md"))
    return [f"{folder}{name}" for name in sorted(names) if name != "README.md" and not name.endswith(".zh.md")]
