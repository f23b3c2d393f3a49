"""A clock for code that does not sleep: the wall time is set, the monotonic one moves with every look at it."""


class SetClock:
    """``tick`` is what one look at the monotonic clock takes: large ones make time-bounded work stop early."""

    def __init__(self, now_ms: int = 1_800_000_000_000, tick: float = 0.0) -> None:
        self.wall_ms = now_ms
        self.tick = tick
        self._seconds = 0.0

    def now_ms(self) -> int:
        return self.wall_ms

    def monotonic(self) -> float:
        self._seconds += self.tick
        return self._seconds

    async def sleep(self, seconds: float) -> None:
        self.pass_time(seconds)

    def pass_time(self, seconds: float) -> None:
        """Both clocks go on."""
        self.wall_ms += round(seconds * 1000)
        self._seconds += seconds
