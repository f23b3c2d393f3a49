"""Columns and roll-up windows as bytes, lossless."""
