"""NVIDIA GPUs through NVML: a child process that may hang in the driver, and the parent's side of it."""
