"""The documentation site: gathers the pages that MkDocs builds, those of ``docs/`` and those kept elsewhere."""
