"""Built-in personas and those of files beside each other: a file takes the place of what it was copied from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from simulators.personas.errors import PersonaError
from simulators.personas.values import Persona

_SERIAL = "$.card.chip.serial"
_HOLDER = "$.card.chip.beneficiaries[0].nir"


def together(built_in: Iterable[Persona], files: Sequence[tuple[str, Persona]]) -> list[Persona] | PersonaError:
    """All of them, in this order, without the built-in ones that a file replaces: same name, serial or holder.

    files: file name and persona; two of them with one serial or one holder are an error, which names both files.
    """
    for index, (name, persona) in enumerate(files):
        for earlier, other in files[:index]:
            shared = [path for path, value in _keys(persona).items() if _keys(other).get(path) == value]
            if shared:
                return PersonaError(name, shared[0], f"the same as in {earlier}")
    kept = [one for one in built_in if not any(replaces(persona, one) for _, persona in files)]
    return kept + [persona for _, persona in files]


def replaces(persona: Persona, built_in: Persona) -> bool:
    """Whether a persona stands for a built-in one."""
    mine, theirs = _keys(persona), _keys(built_in)
    return persona.name == built_in.name or any(theirs.get(path) == value for path, value in mine.items())


def _keys(persona: Persona) -> dict[str, str]:
    """What one card only has: its number, and the holder who logs in with a code."""
    chip = persona.card.chip
    return {} if chip is None else {_SERIAL: chip.serial, _HOLDER: chip.beneficiaries[0].nir}
