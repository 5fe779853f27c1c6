"""What the background thread does, one chore a file: keys, upload, documents, pruning."""
