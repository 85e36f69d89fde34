"""What happens: trade, cash, credit, setbacks and defaults."""
