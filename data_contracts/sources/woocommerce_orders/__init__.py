"""Source woocommerce_orders: its contract and its mapping to canonical tables."""
