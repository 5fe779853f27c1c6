"""Thousands of enrolled kiosks against the reference backend: real keys, signatures, TLS, retries; invented visits."""
