"""Source alibaba_1688_orders: its contract and its mapping to canonical tables."""
