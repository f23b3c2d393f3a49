"""A total over parts whose counters begin anew one by one, as that of a link does when the link is trained again."""


class Odometer:
    """Adds up what each part counts on; it never goes back."""

    def __init__(self) -> None:
        self._last: dict[int, float] = {}
        self.total = 0.0

    def take(self, part: int, count: float) -> None:
        """Take in what the part's counter shows; one that shows less than before has begun anew."""
        before = self._last.get(part, 0.0)
        self.total += count - before if count >= before else count
        self._last[part] = count
