"""History that another system recorded, brought into our own series."""
