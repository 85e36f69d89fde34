"""Source web_shop_orders: its contract and its mapping to canonical tables."""
