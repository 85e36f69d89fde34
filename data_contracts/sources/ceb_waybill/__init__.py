"""Source ceb_waybill: its contract and its mapping to canonical tables."""
