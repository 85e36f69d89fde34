"""Every file of the CUMCM 2020 C sample is recognised by its content, also inside the zips."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from pipelines.ingest.deliveries.recognition import recognise

if TYPE_CHECKING:
    from pathlib import Path


def test_the_files_of_the_invoice_sample_are_recognised_inside_their_zips(shared_data: Path) -> None:
    folder = shared_data / "cumcm2020c"
    if not folder.is_dir():
        pytest.skip("the CUMCM 2020 C sample is not here; docs/data.md says where it comes from")
    met = Counter(tuple(fit.contract.contract_id for fit in found.met) for found in recognise([folder]))
    assert met == {("cumcm_firms",): 2, ("vat_invoices",): 850, (): 1}
