"""Facts → Snapshot: one file for each package manager, and for what the system and its libraries say."""
