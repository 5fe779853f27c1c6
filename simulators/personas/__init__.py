"""Personas: invented people with a simulated card each, as typed values.

A persona file has two halves: `card` (what is on the chip) and `centre` (what the update centre knows). All data are
fiction and marked so: caisse 999, centre 9999, family names of specimens. A file that is not right is refused with its
JSON path and cause; nothing is skipped or defaulted.
"""

from simulators.personas.errors import PersonaError
from simulators.personas.loader import load, load_file, load_text, names
from simulators.personas.together import replaces, together
from simulators.personas.values import CardHalf, CentreHalf, ChipIdentity, Order, OrderContent, Persona, StaffIdentity

__all__ = [
    "CardHalf",
    "CentreHalf",
    "ChipIdentity",
    "Order",
    "OrderContent",
    "Persona",
    "PersonaError",
    "StaffIdentity",
    "load",
    "load_file",
    "load_text",
    "names",
    "replaces",
    "together",
]
