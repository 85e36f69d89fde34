"""How a stage runs: hash its inputs, work in a draft folder, publish, account for rows."""
