"""What can go wrong in a search."""

from forewarn.base.errors import ForewarnError


class SearchError(ForewarnError):
    """The search cannot be answered."""


class UnreachableError(SearchError):
    """The server does not answer now; the node's own files can be searched instead."""
