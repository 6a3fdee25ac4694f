"""Ways to the environment that is meant: a kernel, an interpreter, a process; the probe is sent, facts come back."""
