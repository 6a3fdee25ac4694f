"""The ways to an environment: in a kernel, an interpreter, a process. The probe is sent, facts come back."""
