"""What both methods put into an image: its places, its names, and how it opens."""
