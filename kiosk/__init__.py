"""A borne multiservice for the carte Vitale."""

__version__ = "0.1.0"
