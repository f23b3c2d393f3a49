"""Capacity questions: when each resource is full, what load it allows, how many more GPUs are needed."""
