"""How large a packet libmilter takes from the MTA. pymilter has no word for it, so libmilter is asked itself."""

from __future__ import annotations

import ctypes

from dkimgate.wire.packets import LARGEST

USUAL = 65_535
"""Octets of a packet that libmilter takes unless it is told more: a header field's name and value, with a NUL behind
each."""

MARGIN = 2_535
"""Octets by which a packet may be longer than header_size_limit: Postfix looks at that before it appends a line
(line_length_limit, 2,048), and the name and two NULs go with it."""


def accept_large() -> bool:
    """Let libmilter accept packets of LARGEST octets in this process. Call it before the process serves. False if this
    libmilter can't. At a larger packet libmilter closes the connection without a callback: there is no record and no
    log line, and the MTA tries the message again until it is too old."""
    import Milter

    # By way of pymilter's own module, so that it is the library which that has loaded.
    library = ctypes.CDLL(Milter.milter.__file__)
    try:
        set_most = library.smfi_setmaxdatasize
    except AttributeError:
        return False
    set_most.argtypes = [ctypes.c_size_t]
    set_most.restype = ctypes.c_size_t
    set_most(LARGEST)
    return bool(set_most(LARGEST) == LARGEST)  # it returns what was in force before
