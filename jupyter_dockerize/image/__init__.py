"""Images as values: what the OCI image specification says of them, read, written and checked."""
