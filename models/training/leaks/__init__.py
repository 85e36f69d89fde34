"""The leak check: rules by which a column, two columns or the rows show that they know the outcome."""
