"""What launders a message, in one place: for the proof, for the backtest, and for who looks at a record."""

from __future__ import annotations

from enum import StrEnum

from dkimgate.facts import Facts, Sign


class Law(StrEnum):
    """The two halves of the first law."""

    SIGNATURE = "signature"  # what arrived badly from outside gets no aligned signature
    DEPARTURE = "departure"  # what arrived from outside without a DMARC pass does not depart with one


def broken(facts: Facts, sign: Sign, departs: str | None) -> tuple[Law, ...]:
    """The halves of the first law that are broken where a message of these facts gets this signature and its DMARC
    result at the next receiver is `departs`; None: it does not leave, or not now.

    Spam that goes on with the pass with which it arrived breaks neither: nothing here has made it look better than it
    came.
    """
    if not facts.outside:
        return ()
    signature = sign is Sign.AUTHOR and facts.arrival.badly
    departure = departs == "pass" and facts.arrival.dmarc != "pass"
    return (Law.SIGNATURE,) * signature + (Law.DEPARTURE,) * departure
