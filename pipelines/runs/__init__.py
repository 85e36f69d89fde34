"""Run a stage: hash its inputs, work in a draft folder, publish, count rows."""
