"""Days, times and time zones as exports write them."""
