"""When a limit is reached: the probability by the end of each of the 72 hours ahead, and the hours that follow."""
