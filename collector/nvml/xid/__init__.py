"""XID errors: their witnesses, their count and their meaning."""
