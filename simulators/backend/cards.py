"""The centre's record of a card: found by what a chip or a member says, filled from the personas at the first start."""

from __future__ import annotations

import json
from collections.abc import Iterable

from sqlalchemy import Connection, RowMapping, insert, select

from simulators.backend import schema
from simulators.backend.simfiles import Content
from simulators.card.content import rights_file
from simulators.personas import Persona, load, names


def find_card(connection: Connection, iccsn: str) -> RowMapping | None:
    """The card of this serial number: all 21 digits, or the first 20 of a shorter chip, where one card has them."""
    column = schema.card.c.serial
    of_this_number = column.startswith(iccsn) if len(iccsn) == 20 else column == iccsn
    # Locked where several processes write: tries at a card are counted one after the other.
    found = select(schema.card).where(of_this_number).limit(2).with_for_update()
    rows = connection.execute(found).mappings().all()
    return rows[0] if len(rows) == 1 else None


def seed(connection: Connection, personas: Iterable[Persona], now_s: int) -> None:
    """Fill an empty centre with what it knows of each persona that has a chip; does nothing when there is a card."""
    if connection.execute(select(schema.card.c.serial).limit(1)).first() is not None:
        return
    for persona in personas:
        chip, centre = persona.card.chip, persona.centre
        if chip is None or centre is None:
            continue
        content = Content(chip.organisation, chip.rights)
        holder = chip.beneficiaries[0]
        connection.execute(
            insert(schema.card).values(
                serial=chip.serial,
                holder_nir=holder.nir[:13],
                holder_birth_date=holder.birth_date,
                postcode=centre.postcode,
                previous_postcode=centre.previous_postcode,
                first_names_json=json.dumps([person.first_name for person in chip.beneficiaries]),
                opposed=centre.opposition,
                replace=centre.replace,
                ineligible_reason=centre.ineligible_reason,
                outage_until_s=None if centre.outage_s is None else now_s + centre.outage_s,
                content_json=json.dumps(content.to_json()),
            )
        )
        for position, order in enumerate(centre.orders):
            after = Content(order.after.organisation, order.after.rights)
            rights_file(after.rights)  # an order that no card can hold is a bug of the persona: fail at the start
            connection.execute(
                insert(schema.update_order).values(
                    serial=chip.serial,
                    update_id=order.update_id,
                    position=position,
                    service=order.service,
                    priority=order.priority,
                    description=order.description,
                    after_json=json.dumps(after.to_json()),
                    done=False,
                )
            )


def all_personas() -> list[Persona]:
    """Every committed persona."""
    return [load(name) for name in names()]
