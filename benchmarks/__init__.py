"""Every figure that README quotes comes from here: ratios side by side, in one run, on the same work."""
