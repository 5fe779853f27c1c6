"""Names and places on a Vitale 2, as published, and the fictional files of the simulated card.

Published (cardpeek `vitale_2.lua`, see the domain reference): AIDs, 2F00, 2F02, 2001, tags 65/80…, 66/80, 5A.
Fictional, ours, marked `SIM`: everything that can be written. Never a claim about real cards.
"""

from __future__ import annotations

from typing import Final

AID_VITALE: Final = bytes.fromhex("D250000002564954414C45")
AID_MF_VITALE: Final = bytes.fromhex("D2500000024D465F564954414C45")

EF_DIR: Final = 0x2F00
EF_PAN: Final = 0x2F02
"""Serial number: tag 5A, 21 digits + F in the simulated card (11 bytes BCD); readers accept 10 or 11 bytes."""
EF_POINTERS: Final = 0x2001

# Entry numbers of the POINTERS file in the simulated card (bytes 0-1 of each 82, bytes 8-9 of each 80).
ENTRY_MF_VITALE: Final = 1
ENTRY_VITALE: Final = 2

# Simulated files of application VITALE: 8-character name in POINTERS → (EF identifier, short file identifier).
SIM_BENEFICIARIES: Final = ("SIMBENEF", 0x2011, 0x11)  # published tags 65/80, 65/81, 65/82, 65/93 and 66/80
SIM_ORGANISATION: Final = ("SIMORGAN", 0x2012, 0x12)
SIM_RIGHTS: Final = ("SIMRIGHT", 0x2013, 0x13)
SIM_STATE: Final = ("SIMSTATE", 0x2014, 0x14)
SIM_WRITABLE_SFIS: Final = frozenset({0x12, 0x13, 0x14})

# SIMORGAN: C1 { 80 regime (2 ASCII digits) 81 caisse (3) 82 centre (4) }
TAG_ORGANISATION: Final = 0xC1
# SIMRIGHT: C2 { 83 × n, 10 bytes each: beneficiary index (1) | start BCD YYYYMMDD (4) | end BCD YYYYMMDD (4)
#                | exemption (1, index in the list NONE, ALD, MATERNITE, INVALIDITE, AT_MP, C2S) }
TAG_RIGHTS: Final = 0xC2
TAG_PERIOD: Final = 0x83
# SIMSTATE (fits one 64-byte EEPROM page): C3 { 80 transaction flag (00 | 01) 81 last update (8 ASCII digits, may be
#           empty) 82 schema version (1) 8F "CARTE FICTIVE" }; the flag is byte 4 of the file: C3 LL 80 01 FF…
TAG_STATE: Final = 0xC3
STATE_FLAG_OFFSET: Final = 4
EEPROM_PAGE_BYTES: Final = 64
# C1, C2 and C3 are private-class primitive tags by their bits; the content is parsed as a list of TLVs all the same.

# Sizes of the writable files (whole EEPROM pages). Unused bytes at the end are 00; a writer rewrites whole files.
SIM_FILE_BYTES: Final = {0x12: 64, 0x13: 448, 0x14: 64}
SIM_MAX_PERIODS: Final = 37
