"""The leak check: rules that find columns, pairs of columns and rows that know the outcome."""
