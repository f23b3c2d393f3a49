"""The room's tables in state.db."""

ROOM = "alerts"

MIGRATIONS = (
    """
    CREATE TABLE alert_states (
        fingerprint TEXT PRIMARY KEY,
        body BLOB NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE notified_groups (
        receiver TEXT NOT NULL,
        group_key TEXT NOT NULL,
        labels BLOB NOT NULL,
        told BLOB NOT NULL,
        maybe BLOB NOT NULL,
        handled BLOB,
        handled_ms INTEGER,
        PRIMARY KEY (receiver, group_key)
    ) WITHOUT ROWID;
    CREATE TABLE outbox (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        receiver TEXT NOT NULL,
        group_key TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('queued', 'sending', 'dead')),
        cause TEXT NOT NULL CHECK (cause IN ('change', 'repeat')),
        created_ms INTEGER NOT NULL,
        next_ms INTEGER NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        offered BLOB,
        error TEXT NOT NULL DEFAULT '',
        body BLOB
    );
    CREATE UNIQUE INDEX outbox_one_each ON outbox (receiver, group_key) WHERE state <> 'dead';
    """,
)
