"""Public data sets, as they lie on a user's disk, turned into pair files by the protocols of the papers."""
