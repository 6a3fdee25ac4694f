"""Snapshot + choices → plan: what goes into the image, what stays out, what other platforms change."""
