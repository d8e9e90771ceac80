"""Events on disk, in a directory shared by processes."""
