"""Batches of documents on their way: sending, answers, and the account of what has arrived."""
