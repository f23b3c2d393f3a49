"""What would otherwise vanish, kept encrypted on the node's own disk: log lines not yet taken, documents refused."""
