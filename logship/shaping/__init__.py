"""What of the raw bytes becomes which document: joined lines, JSON, redaction, what a source is."""
