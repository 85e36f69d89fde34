"""The weekly simulation: trade, cash, credit, incidents, fraud and defaults."""
