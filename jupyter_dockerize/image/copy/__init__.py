"""Plan → layers of the environment's own files, taken from the machine that it runs on."""
