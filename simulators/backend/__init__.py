"""The reference backend: update centre, identity and provisional codes, enrolment, event intake, signed policy.

A simulator of the other side for development and tests, made of real parts: TLS 1.3 with client certificates, the
signed channel, a durable store. Everything in it is fiction (caisse 999, centre 9999).
"""

from simulators.backend.process import BackendProcess, in_thread, running

__all__ = ["BackendProcess", "in_thread", "running"]
