"""What is wrong with the GPUs, which of them there should be, and pauses."""
