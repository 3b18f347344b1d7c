"""One supervised process per device: runs requests, owns the caches. Importing this loads nothing heavy."""
