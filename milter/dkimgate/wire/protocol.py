"""The words of the milter protocol, version 6, under the names that libmilter gives them (mfapi.h, mfdef.h).

There is no RFC. Sendmail's and Postfix's sources are the standard, and these names are what both have in common.
"""

from __future__ import annotations

from typing import Final

VERSION: Final = 6
"""The newest version, of Sendmail 8.14 and Postfix 2.6."""
OLDEST_VERSION: Final = 2
"""What libmilter still accepts."""

CHUNK: Final = 65_535
"""Octets of a body that the MTA puts into one packet at most, unless SMFIP_MDS_1M was agreed on."""

# Commands, from the MTA
SMFIC_ABORT: Final = b"A"
SMFIC_BODY: Final = b"B"
SMFIC_CONNECT: Final = b"C"
SMFIC_MACRO: Final = b"D"
SMFIC_BODYEOB: Final = b"E"  # end of the message
SMFIC_HELO: Final = b"H"
SMFIC_QUIT_NC: Final = b"K"  # quit, and another SMTP client follows on the same connection
SMFIC_HEADER: Final = b"L"
SMFIC_MAIL: Final = b"M"
SMFIC_EOH: Final = b"N"
SMFIC_OPTNEG: Final = b"O"
SMFIC_QUIT: Final = b"Q"
SMFIC_RCPT: Final = b"R"
SMFIC_DATA: Final = b"T"
SMFIC_UNKNOWN: Final = b"U"  # an SMTP command that the MTA does not know

# Replies, from the milter
SMFIR_ACCEPT: Final = b"a"
SMFIR_CONTINUE: Final = b"c"
SMFIR_DISCARD: Final = b"d"
SMFIR_CHGFROM: Final = b"e"
SMFIR_ADDHEADER: Final = b"h"
SMFIR_INSHEADER: Final = b"i"
SMFIR_CHGHEADER: Final = b"m"
SMFIR_PROGRESS: Final = b"p"  # still working: the MTA's timeout begins anew
SMFIR_QUARANTINE: Final = b"q"
SMFIR_REJECT: Final = b"r"
SMFIR_SKIP: Final = b"s"
SMFIR_TEMPFAIL: Final = b"t"
SMFIR_REPLYCODE: Final = b"y"

# Families of the client's address, in SMFIC_CONNECT
SMFIA_UNKNOWN: Final = b"U"
SMFIA_UNIX: Final = b"L"
SMFIA_INET: Final = b"4"
SMFIA_INET6: Final = b"6"

# Actions: what the MTA lets the milter do
SMFIF_ADDHDRS: Final = 0x01
SMFIF_CHGHDRS: Final = 0x10
SMFIF_QUARANTINE: Final = 0x20
SMFIF_CHGFROM: Final = 0x40
SMFIF_SETSYMLIST: Final = 0x100
ALL_ACTIONS: Final = 0x1FF

# Steps: what the MTA leaves out (NO...), and what the milter does not answer (NR_...)
SMFIP_NOCONNECT: Final = 0x1
SMFIP_NOHELO: Final = 0x2
SMFIP_NOMAIL: Final = 0x4
SMFIP_NORCPT: Final = 0x8
SMFIP_NOBODY: Final = 0x10
SMFIP_NOHDRS: Final = 0x20
SMFIP_NOEOH: Final = 0x40
SMFIP_NR_HDR: Final = 0x80
SMFIP_NOUNKNOWN: Final = 0x100
SMFIP_NODATA: Final = 0x200
SMFIP_SKIP: Final = 0x400
SMFIP_RCPT_REJ: Final = 0x800
SMFIP_NR_CONN: Final = 0x1000
SMFIP_NR_HELO: Final = 0x2000
SMFIP_NR_MAIL: Final = 0x4000
SMFIP_NR_RCPT: Final = 0x8000
SMFIP_NR_DATA: Final = 0x10000
SMFIP_NR_UNKN: Final = 0x20000
SMFIP_NR_EOH: Final = 0x40000
SMFIP_NR_BODY: Final = 0x80000
SMFIP_HDR_LEADSPC: Final = 0x100000  # a header field's value comes and goes with the space behind the colon
ALL_STEPS: Final = 0x1FFFFF
SMFIP_MDS_256K: Final = 0x10000000  # Sendmail alone, and only if it is built with it: larger packets
SMFIP_MDS_1M: Final = 0x20000000

# Stages: which list of macros
SMFIM_CONNECT: Final = 0
SMFIM_HELO: Final = 1
SMFIM_ENVFROM: Final = 2
SMFIM_ENVRCPT: Final = 3
SMFIM_DATA: Final = 4
SMFIM_EOM: Final = 5
SMFIM_EOH: Final = 6

# What a callback of a milter returns: libmilter's API, not the wire
SMFIS_CONTINUE: Final = 0
SMFIS_REJECT: Final = 1
SMFIS_DISCARD: Final = 2
SMFIS_ACCEPT: Final = 3
SMFIS_TEMPFAIL: Final = 4
SMFIS_NOREPLY: Final = 7
SMFIS_SKIP: Final = 8
