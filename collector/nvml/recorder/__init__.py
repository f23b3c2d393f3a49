"""Recordings of what a machine's NVML answers: made by ``forewarn nvml record``, played back in tests."""
