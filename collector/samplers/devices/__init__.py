"""Devices that may be slow to answer: links, InfiniBand, drives, sensors."""
