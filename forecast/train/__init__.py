"""Training: from series to the weights that ship. Needs torch; nothing that serves imports it."""
