"""What is fast, against what: each figure is a ratio to a baseline measured in the same run, never a bare time."""
