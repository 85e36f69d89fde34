"""The modules in which a silent fault would change a score, money or trust, with the tests that have to notice it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


def _tests(folder: str, *names: str) -> tuple[str, ...]:
    return tuple(f"tests/unit/{folder}/test_{name}.py" for name in names)


_COMPONENTS: Final = "models/components"
_SOURCES: Final = "data_contracts/sources"
_RECONCILIATION: Final = "features/reconciliation"

GUARDED: Final[Mapping[str, tuple[str, ...]]] = {
    # Scores and points
    "models/components/binning.py": _tests(_COMPONENTS, "binning", "scorecard"),
    "models/components/calibration.py": _tests(_COMPONENTS, "calibration"),
    "models/components/encoding.py": _tests(_COMPONENTS, "encoding"),
    "models/components/linear.py": _tests(_COMPONENTS, "linear"),
    "models/components/model.py": _tests(_COMPONENTS, "model"),
    "models/components/scale.py": _tests(_COMPONENTS, "scale"),
    "models/components/scorecard.py": _tests(_COMPONENTS, "scorecard", "linear"),
    "models/explanation/reasons.py": _tests("models/explanation", "reasons"),
    "models/training/labels.py": _tests("models/training", "labels"),
    "models/training/leaks/check.py": _tests("models/training", "leakage"),
    "pipelines/score/known_history.py": _tests("pipelines/score", "known_history"),
    "pipelines/score/scorer.py": _tests("pipelines/score", "scorer"),
    # Money, days and what was read
    "data_contracts/mapping/currency.py": _tests("data_contracts/mapping", "currency"),
    "data_contracts/reading/delimited/lines.py": _tests("data_contracts/reading/delimited", "lines", "reader"),
    "data_contracts/sources/shein_report/mapping.py": _tests(_SOURCES, "shein"),
    "data_contracts/sources/shein_statement/mapping.py": _tests(_SOURCES, "shein"),
    "data_contracts/sources/shopify_orders/mapping.py": _tests(_SOURCES, "shopify"),
    "data_contracts/values/casting.py": _tests("data_contracts/values", "casting"),
    "data_contracts/values/datetimes.py": _tests("data_contracts/values", "casting"),
    "data_contracts/values/money_text.py": _tests("data_contracts/values", "money_text"),
    "features/delinquency.py": _tests("features", "delinquency"),
    # Evidence and trust
    "features/reconciliation/bank_matching.py": _tests(_RECONCILIATION, "bank_matching"),
    "features/reconciliation/claims.py": _tests(_RECONCILIATION, "claims", "reconcile"),
    "features/reconciliation/reconcile.py": _tests(_RECONCILIATION, "reconcile"),
    "models/registry/bundle.py": _tests("models/registry", "bundle"),
    "models/registry/chained_log.py": _tests("models/registry", "promotion_ledger"),
    "models/registry/gates.py": _tests("models/registry", "gates"),
    "models/registry/promotion_ledger.py": _tests("models/registry", "promotion_ledger"),
    "models/registry/sealed_folder.py": _tests("models/registry", "sealed_folder", "bundle"),
    "pipelines/passports/claims.py": _tests("pipelines/passports", "claims", "passport"),
    "pipelines/passports/passport.py": _tests("pipelines/passports", "passport"),
    "pipelines/passports/verify.py": _tests("pipelines/passports", "verify"),
    "pipelines/signing/credential.py": _tests("pipelines/signing", "credential"),
    "pipelines/signing/did_key.py": _tests("pipelines/signing", "credential"),
    "pipelines/signing/keys.py": _tests("pipelines/signing", "keys", "key_rotation"),
}
