"""Build the documentation site: ``python -m tools.site EXECUTED_NOTEBOOKS PAGES SITE``.

The pages are gathered in the folder PAGES, and the site is written to the folder SITE.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tools.site.building import SiteRefused, build_site
from tools.site.notebooks import NotExecuted, render_notebooks
from tools.site.pages import gather_pages

CHECKOUT = Path(__file__).resolve().parents[2]


def main(executed: Path, pages: Path, site: Path) -> int:
    """Gather the pages and build the site; return 1, with a line that says why, if that is refused."""
    try:
        gather_pages(CHECKOUT, pages)
        render_notebooks(CHECKOUT / "notebooks", executed, pages / "notebooks")
        build_site(CHECKOUT / "mkdocs.yml", pages, site)
    except (NotExecuted, SiteRefused) as error:
        print(f"site: {error}", file=sys.stderr)
        return 1
    print(f"site: {sum(1 for _ in site.rglob('*.html'))} pages -> {site / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
