"""Generated pages that drift are noticed, and one command repairs them."""

from __future__ import annotations

import json
from pathlib import Path

from pipelines.commands.documentation import stale_pages, write_pages


def test_written_pages_are_up_to_date_and_cover_contracts_and_features(tmp_path: Path) -> None:
    write_pages(tmp_path)
    assert stale_pages(tmp_path) == []
    assert (tmp_path / "contracts/tables/money_event.md").is_file()
    assert "payout" in (tmp_path / "features.md").read_text()
    schema = json.loads((tmp_path / "passport.schema.json").read_text(encoding="utf-8"))
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_an_edited_a_missing_and_a_surplus_page_are_named_and_mended(tmp_path: Path) -> None:
    write_pages(tmp_path)
    (tmp_path / "features.md").write_text("by hand")
    (tmp_path / "contracts/tables/loan.md").unlink()
    (tmp_path / "contracts/sources/gone.md").write_text("of a contract that is gone")
    stale = ["contracts/sources/gone.md", "contracts/tables/loan.md", "features.md"]
    assert stale_pages(tmp_path) == stale
    assert write_pages(tmp_path) == stale
    assert stale_pages(tmp_path) == []
