"""Source trade_data_workbook: its contract and its mapping to canonical tables."""
