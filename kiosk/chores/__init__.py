"""What the background thread does, one chore a file: upload, documents."""
