"""Source exchange_rates: rates for currencies the European Central Bank does not quote."""
