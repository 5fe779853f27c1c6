"""Whatever the machine asks to be written down, the journal's catalogue takes: no record can be refused at run time."""

from __future__ import annotations

from kiosk.journal.catalogue import shipped_catalogue
from kiosk.visit.effects import Record
from kiosk.visit.machine import step
from kiosk.visit.values import RecordType
from simulators import samples
from simulators.happenings import every_event


def test_every_record_of_the_machine_is_in_the_catalogue() -> None:
    catalogue, seen = shipped_catalogue(), set()
    for state in samples.every_page():
        for event in every_event():
            for now_s in (1.0, 10_000.0):
                for effect in step(state, event, now_s)[1]:
                    if isinstance(effect, Record):
                        seen.add(effect.type)
                        assert catalogue.check(effect.type.value, effect.pseudonym, effect.fields) is None
    assert seen == set(RecordType)
