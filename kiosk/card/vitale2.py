"""Carte Vitale 2: recognising it, and reading it with as few APDUs as its published structure allows.

Dialogue (domain reference §2.3: cardpeek `vitale_2.lua` and Rufus, facts only), all plain ISO/IEC 7816-4:

- `00 A4 04 00 0B` + AID, as the published readers send it, without Le: under T=0 a card that offers its FCI answers
  61xx, which counts as selected; the FCI is not fetched.
- `00 A4 02 0C 02` + identifier: EF under the current DF, no FCI wanted.
- `00 B0` offset `00` in 256-byte steps until a short block, 6282 (end of file inside the block) or 6B00 (past it). Of
  the simulated files, which are filled up to their size, no more is read once the filling has begun.

MF_VITALE/2F02 is read first, then VITALE, which stays selected. A single file that refuses (6982) or is missing (6A82)
is passed over; what the kiosk cannot do without is then an error that names it.

The simulated files of organisation and rights count only behind a SIMSTATE that says the last update was finished: a
card marked unfinished, and a card without that file, never has its rights read at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeVar

from kiosk.card import layout
from kiosk.card import vitale2_files as files
from kiosk.card.apdu import CommandApdu, ResponseApdu
from kiosk.card.read_error import CardReadError
from kiosk.card.status_words import StatusWord, available_bytes, sw_text
from kiosk.card.values import Beneficiary, CardContent, Generation

F = TypeVar("F")
"""The caller's own failure value: what its `exchange` returns when no answer came."""

ATR_PATTERN: Final = re.compile("3B75130000..09[EF]A9000")
"""One byte differs between the published values and may take others (pcsc-tools list; the mask is inferred)."""

BLOCK_BYTES: Final = 256
FILE_MAX_BYTES: Final = 0x8000
"""Offsets of READ BINARY have 15 bits."""

_ABSENT: Final = (StatusWord.SECURITY_NOT_SATISFIED, StatusWord.FILE_NOT_FOUND)


def read_vitale2(exchange: Callable[[bytes], ResponseApdu | F]) -> CardContent | CardReadError | F:
    """Read everything the kiosk uses.

    `exchange` sends one command APDU and returns the completed answer (61xx and 6Cxx are the transport's business), or
    a failure, which ends the reading and is returned as it is. Returns `CardReadError` naming file and cause when the
    card answers but does not hold what it should.
    """
    pan = _select_and_read(exchange, "MF_VITALE", layout.AID_MF_VITALE, files.PAN, layout.EF_PAN)
    if not isinstance(pan, bytes):
        return pan
    serial = files.parse_pan(pan)
    if isinstance(serial, CardReadError):
        return serial
    pointers = _select_and_read(exchange, "VITALE", layout.AID_VITALE, files.POINTERS, layout.EF_POINTERS)
    if not isinstance(pointers, bytes):
        return pointers
    listed = files.parse_pointers(pointers)
    if isinstance(listed, CardReadError):
        return listed

    contents: dict[str, bytes] = {}
    state: files.UpdateState | None = None
    for file in sorted(listed, key=lambda file: file.name != files.STATE):  # the state decides what else is read
        if file.name in (files.ORGANISATION, files.RIGHTS) and (state is None or state.unfinished):
            continue
        content = _read_ef(exchange, file.name, file.identifier)
        if content is None:
            continue
        if not isinstance(content, bytes):
            return content
        if file.name == files.STATE:
            found = files.parse_state(content)
            if isinstance(found, CardReadError):
                return found
            state = found
        else:
            contents[file.name] = content
    return _assemble(serial.digits, contents, state)


def _assemble(iccsn: str, contents: dict[str, bytes], state: files.UpdateState | None) -> CardContent | CardReadError:
    """Turn the files read into one value. `contents` holds organisation and rights only if they may be trusted."""
    organisation = None
    if (content := contents.pop(files.ORGANISATION, None)) is not None:
        parsed = files.parse_organisation(content)
        if isinstance(parsed, CardReadError):
            return parsed
        organisation = parsed
    rights_content = contents.pop(files.RIGHTS, None)
    beneficiaries: list[Beneficiary] = []
    start_date = None
    for name, content in contents.items():
        personal = files.parse_personal_data(name, content)
        if isinstance(personal, CardReadError):
            return personal
        beneficiaries += personal.beneficiaries
        start_date = personal.start_date or start_date
    if not beneficiaries:
        return CardReadError("VITALE", "no beneficiary (tag 65) in any readable file")
    rights = () if rights_content is None else files.parse_rights(rights_content, len(beneficiaries))
    if isinstance(rights, CardReadError):
        return rights
    return CardContent(
        generation=Generation.VITALE_2,
        iccsn=iccsn,
        beneficiaries=tuple(beneficiaries),
        start_date=start_date,
        organisation=organisation,
        rights=rights,
        last_update=state.last_update if state else None,
        unfinished=state.unfinished if state else False,
    )


def _select_and_read(
    exchange: Callable[[bytes], ResponseApdu | F], application: str, aid: bytes, file: str, identifier: int
) -> bytes | CardReadError | F:
    """Select an application and read one file that must be there."""
    answer = exchange(CommandApdu(0x00, 0xA4, 0x04, 0x00, aid).to_bytes())
    if not isinstance(answer, ResponseApdu):
        return answer
    if answer.sw != StatusWord.OK and available_bytes(answer.sw) is None:
        return CardReadError(application, f"SELECT: {sw_text(answer.sw)}")
    content = _read_ef(exchange, file, identifier)
    return CardReadError(file, "absent or refused") if content is None else content


def _read_ef(
    exchange: Callable[[bytes], ResponseApdu | F], file: str, identifier: int
) -> bytes | CardReadError | F | None:
    """The whole content of one EF of the current application; None when the card refuses it or does not have it."""
    answer = exchange(CommandApdu(0x00, 0xA4, 0x02, 0x0C, identifier.to_bytes(2, "big")).to_bytes())
    if not isinstance(answer, ResponseApdu):
        return answer
    if answer.sw in _ABSENT:
        return None
    if answer.sw != StatusWord.OK:
        return CardReadError(file, f"SELECT: {sw_text(answer.sw)}")
    content = b""
    while len(content) < FILE_MAX_BYTES:
        offset = len(content)
        answer = exchange(CommandApdu(0x00, 0xB0, offset >> 8, offset & 0xFF, ne=BLOCK_BYTES).to_bytes())
        if not isinstance(answer, ResponseApdu):
            return answer
        if answer.sw == StatusWord.WRONG_OFFSET:
            return content
        if answer.sw in _ABSENT and not content:
            return None
        if answer.sw not in (StatusWord.OK, StatusWord.END_OF_FILE):
            return CardReadError(file, f"READ BINARY: {sw_text(answer.sw)}")
        if len(answer.data) > BLOCK_BYTES:
            return CardReadError(file, "READ BINARY: more bytes than asked for")
        content += answer.data
        if len(answer.data) < BLOCK_BYTES or answer.sw == StatusWord.END_OF_FILE:
            return content
        if file in files.FILLED and files.filling_has_begun(content):
            return content
    return content
