"""Image layouts and archives judged: every violation of the specification and of what we trust, by name."""
