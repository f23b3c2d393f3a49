"""Who uses the GPUs: users, units and containers behind the process numbers that the driver tells."""
