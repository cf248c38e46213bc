"""Where reports are: folders and collections of them on disk, and copies of these elsewhere."""
