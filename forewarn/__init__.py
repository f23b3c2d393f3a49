"""Forewarn: the daemon that every GPU node of a private LLM runs."""

__version__ = "0.1.0"
