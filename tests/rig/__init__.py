"""The test rig: a real engine, registry, base images and conda channel on one Debian machine."""
