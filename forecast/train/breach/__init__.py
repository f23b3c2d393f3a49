"""Training of the probability that a limit is reached."""
