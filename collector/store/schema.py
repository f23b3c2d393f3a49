"""Tables of metrics.db, and the fixed widths that they are cut by.

``scrapes`` holds one row per scrape; its values follow the order of its layout's series ids. ``chunks`` holds one
compressed column per series and window of ``WINDOW_MS``: the whole truth of that window, sorted, each time once.
A chunk covers ``span`` windows: one at first, all windows of a day once that is over.
``axes`` holds the time stamps of chunks, shared by all series that were scraped together. ``rollups`` holds blocks of
roll-up windows; each is a pure function of its series' chunk, so it can be made again as often as samples arrive.
A block that is ``settled`` was packed as small as may be, once it was no longer going to change.
``crc`` is the CRC-32 of the column beside it, NULL where a version without it wrote the row.
"""

from dataclasses import dataclass

from forewarn.base.clock import DAY, HOUR, MINUTE

ROOM = "store"
WINDOW_MS = 6 * HOUR
DAY_WINDOWS = DAY // WINDOW_MS


@dataclass(frozen=True, slots=True)
class Tier:
    """One grain of roll-ups: width of its windows, and of the blocks that they are stored in (whole WINDOW_MS)."""

    level: int
    step_ms: int
    block_ms: int


FIVE_MINUTES = Tier(0, 5 * MINUTE, DAY)
HOURLY = Tier(1, HOUR, 30 * DAY)
TIERS = (FIVE_MINUTES, HOURLY)

MIGRATIONS = (
    """
    CREATE TABLE series (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        labels TEXT NOT NULL,
        counter INTEGER NOT NULL,
        UNIQUE (name, labels)
    );
    CREATE TABLE layouts (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        digest BLOB NOT NULL UNIQUE,
        series BLOB NOT NULL
    );
    CREATE TABLE scrapes (
        id INTEGER PRIMARY KEY,
        time_ms INTEGER NOT NULL,
        layout INTEGER NOT NULL,
        cells BLOB NOT NULL
    );
    CREATE TABLE axes (
        id INTEGER PRIMARY KEY,
        window INTEGER NOT NULL,
        digest BLOB NOT NULL,
        times BLOB NOT NULL,
        UNIQUE (window, digest)
    );
    CREATE TABLE chunks (
        id INTEGER PRIMARY KEY,
        series INTEGER NOT NULL,
        window INTEGER NOT NULL,
        axis INTEGER NOT NULL,
        last_ms INTEGER NOT NULL,
        written_ms INTEGER NOT NULL,
        cells BLOB NOT NULL,
        UNIQUE (series, window)
    );
    CREATE INDEX chunks_by_axis ON chunks (axis);
    CREATE INDEX chunks_by_age ON chunks (written_ms);
    CREATE TRIGGER axis_left AFTER UPDATE OF axis ON chunks WHEN old.axis <> new.axis BEGIN
        DELETE FROM axes WHERE id = old.axis AND NOT EXISTS (SELECT 1 FROM chunks WHERE axis = old.axis);
    END;
    CREATE TRIGGER axis_gone AFTER DELETE ON chunks BEGIN
        DELETE FROM axes WHERE id = old.axis AND NOT EXISTS (SELECT 1 FROM chunks WHERE axis = old.axis);
    END;
    CREATE TABLE rollups (
        id INTEGER PRIMARY KEY,
        tier INTEGER NOT NULL,
        series INTEGER NOT NULL,
        block INTEGER NOT NULL,
        cells BLOB NOT NULL,
        UNIQUE (tier, series, block)
    );
    CREATE INDEX rollups_by_age ON rollups (tier, block);
    CREATE TABLE bookmarks (
        source TEXT PRIMARY KEY,
        place TEXT NOT NULL,
        saved_ms INTEGER NOT NULL
    )
    """,
    """
    ALTER TABLE chunks ADD COLUMN span INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE chunks ADD COLUMN crc INTEGER;
    ALTER TABLE axes ADD COLUMN crc INTEGER;
    ALTER TABLE rollups ADD COLUMN crc INTEGER;
    DROP INDEX chunks_by_age;
    CREATE INDEX chunks_by_age ON chunks (last_ms, written_ms);
    ALTER TABLE rollups ADD COLUMN settled INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX rollups_to_settle ON rollups (tier, block) WHERE settled = 0;
    CREATE INDEX chunks_to_join ON chunks (window, series) WHERE span = 1;
    CREATE INDEX scrapes_by_time ON scrapes (time_ms)
    """,
)
