"""What can go wrong in a search."""

from forewarn.base.errors import ForewarnError


class SearchError(ForewarnError):
    """The search cannot be answered."""


class AskedError(SearchError):
    """Something is asked for that there is not: of another data set, or what the files do not know."""

    exit_code = 2


class UnreachableError(SearchError):
    """The server does not answer now; the node's own files can be searched instead."""
