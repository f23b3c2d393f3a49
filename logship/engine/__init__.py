"""Chunks of log lines to bodies of bulk requests, compiled or plain, with the same bytes."""
