"""The ground floor: what every room may use; it imports nothing of ours."""
