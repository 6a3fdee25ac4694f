"""The notebook and the files beside it: what it imports and opens, and which of them hold secrets."""
