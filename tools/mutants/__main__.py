"""Count which small faults the tests notice: ``python -m tools.mutants [--sample 250] [--seed 1]``."""

# The processes that run tests import this module again, so it imports nothing of the product by itself.
if __name__ == "__main__":
    import os
    import sys

    # One thread each: idle ones spin, and forked processes must not inherit any.
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

    from tools.mutants.command import run

    sys.exit(run(sys.argv[1:]))
