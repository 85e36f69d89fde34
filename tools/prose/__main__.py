"""Check the prose of the whole checkout, or of the files and folders named: ``python -m tools.prose [PATH…]``."""

from __future__ import annotations

import sys
from pathlib import Path

from tools.prose.passages import all_passages
from tools.prose.phrases import mood_findings, phrase_findings, read_phrases, read_verbs
from tools.prose.proselint_checks import proselint_findings

CHECKOUT = Path(__file__).resolve().parents[2]


def main(prefixes: list[str]) -> int:
    """Print every finding, one a line, and return 1 if there is any."""
    wanted = tuple(prefix.removeprefix("./") for prefix in prefixes)
    passages = [passage for passage in all_passages(CHECKOUT) if not wanted or passage.place.startswith(wanted)]
    findings = [
        *phrase_findings(passages, read_phrases()),
        *mood_findings(passages, read_verbs()),
        *proselint_findings(passages),
    ]
    for finding in sorted(findings, key=lambda found: (found.place, found.line)):
        print(finding)
    if not passages:
        print(f"prose: nothing to check in {', '.join(prefixes)}")
    print(f"prose: {len(findings)} findings in {len(passages)} passages")
    return 1 if findings or not passages else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
