"""Events on disk, in a directory that processes share."""
