"""The stock trainer beside ten peers on credit tables, with identical folds and without tuning by hand.

    make bench-credit
    python benchmarks/credit_tables.py --table FILE --target COLUMN --bad VALUE [--drop COLUMN ...]

The first measures the public tables of DATA_DIR and writes docs/credit_tables.md, the second a table of your own. The
peers are in a lock of their own (requirements-bench.lock); a missing one is an error. Every contender is fitted on one
thread, on the same repeated stratified folds.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
import warnings
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from credit.comparison import compare, fold_measures
from credit.contenders import OURS, contenders
from credit.page import write_page
from credit.tables import CreditTable, TableFile, known_tables, read_table
from joblib import Parallel, delayed
from sklearn.model_selection import RepeatedStratifiedKFold

if TYPE_CHECKING:
    import numpy as np

PACKAGES = (
    "catboost", "interpret-core", "lightgbm", "numpy", "optbinning", "pandas", "scikit-learn", "xgboost-cpu",
)  # fmt: skip
SEED = 2024
LARGE = 10_000


def measure(table: CreditTable, options: argparse.Namespace) -> dict[str, Any]:
    """Return every contender's measures on one table, over all folds and repeats."""
    is_large = len(table.y) > LARGE
    folds, repeats = options.folds or (3 if is_large else 5), options.repeats or (1 if is_large else 2)
    splitter = RepeatedStratifiedKFold(n_splits=folds, n_repeats=repeats, random_state=SEED)
    splits = list(splitter.split(table.X, table.y))
    names = options.only or list(contenders())
    jobs = [(name, number) for number in range(len(splits)) for name in names]
    done = Parallel(n_jobs=options.processes, verbose=options.verbose)(
        delayed(one_fold)(table, name, splits[number], number) for name, number in jobs
    )
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for (name, _), measures in zip(jobs, done, strict=True):
        found[name].append(measures)
    return {
        "rows": len(table.y),
        "bads": int(table.y.sum()),
        "columns": table.X.shape[1],
        "text_columns": table.X.select_dtypes(exclude="number").shape[1],
        "missing_cells": int(table.X.isna().sum().sum()),
        "folds": folds,
        "repeats": repeats,
        "contenders": compare(found, OURS, 1.0 / (folds - 1)),
    }


def one_fold(table: CreditTable, name: str, split: tuple[np.ndarray, np.ndarray], number: int) -> dict[str, float]:
    """Fit one contender on the training rows of a fold and measure it on the others."""
    train, test = split
    warnings.simplefilter("ignore")
    start = time.process_time()
    probability = contenders()[name](table.X.iloc[train], table.y[train], table.X.iloc[test], SEED + number)
    return fold_measures(table.y[test], probability, time.process_time() - start)


def arguments(given: list[str]) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, help="file of your own table, instead of the public ones")
    parser.add_argument("--target", help="column that says who turned bad")
    parser.add_argument("--bad", help="value of that column for a bad row")
    parser.add_argument("--drop", nargs="*", default=[], help="columns that nobody knew when the loan was decided")
    parser.add_argument("--category", nargs="*", default=[], help="numeric columns that are codes")
    parser.add_argument("--sep", default=",", help="separator of columns")
    parser.add_argument("--na", nargs="*", default=[], help="texts that stand for a missing cell")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the public tables")
    parser.add_argument("--public", nargs="*", default=[], help="only these public tables")
    parser.add_argument("--only", nargs="*", default=[], help="only these contenders; ours must be among them")
    parser.add_argument("--folds", type=int, help="default 5, and 3 for tables of more than 10,000 rows")
    parser.add_argument("--repeats", type=int, help="default 2, and 1 for tables of more than 10,000 rows")
    parser.add_argument("--processes", type=int, default=2, help="folds at the same time")
    parser.add_argument("--verbose", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("artifacts/benchmarks"))
    parser.add_argument("--page", type=Path, help="write the results as a Markdown page, too")
    options = parser.parse_args(given)
    if options.table and not (options.target and options.bad):
        parser.error("--table needs --target and --bad")
    if options.only and OURS not in options.only:
        parser.error(f"--only must contain {OURS}, which the others are compared with")
    return options


def files(options: argparse.Namespace) -> list[TableFile]:
    """Return the tables that the options name."""
    if options.table:
        return [
            TableFile(
                options.table.stem, options.table, options.target, options.bad, tuple(options.drop),
                options.sep, tuple(options.na), tuple(options.category),
            )
        ]  # fmt: skip
    return [file for file in known_tables(options.data) if not options.public or file.name in options.public]


def main() -> int:
    """Measure, and write ``credit_tables.json`` and the page."""
    options = arguments(sys.argv[1:])
    tables = {}
    for file in files(options):
        try:
            table = read_table(file)
        except (OSError, ValueError) as fault:
            sys.stderr.write(f"credit_tables: {fault}\n")
            return 2
        tables[file.name] = measure(table, options)
        best = max(tables[file.name]["contenders"].items(), key=lambda item: item[1]["mean"]["auc"])
        ours = tables[file.name]["contenders"][OURS]["mean"]
        print(f"{file.name}: AUC of ours {ours['auc']:.4f}, best {best[0]} {best[1]['mean']['auc']:.4f}")
    results = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "tables": tables,
    }
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "credit_tables.json").write_text(json.dumps(results, indent=2) + "\n")
    if options.page:
        write_page(results, options.page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
