"""The forms of plain fields, held against what the verifiers write."""

from __future__ import annotations

from dkimgate.authres import authentication_results
from dkimgate.evidence import plain_forms
from dkimgate.message.message import HeaderField
from tests.evidence.echoes import table

ODD = {
    "spf permerror": "text of the sender's SPF record, or Exim's `(invalid)`, which is no result",
    "spf temperror": "the text of a DNS library",
    "dkim signature without d=": "a result of no domain",
}
"""Plain cases of which a verifier writes what has no form."""


def test_what_verifiers_write_for_plain_mail_has_their_form() -> None:
    unknown = [
        f"{row.case}; {written.wirings[0]}: {' '.join(field.text.split())}"
        for row in table.read("plain")
        for written in row.written
        for field in table.header_of(written.fields + written.header)
        if not _is_plain(field)
        and row.case not in ODD
        # a name said in EHLO may hold a whole result, and rspamd writes all its results into one field
        and not (written.wirings == ("rspamd",) and row.case.startswith("null sender"))
    ]
    assert unknown == []


def test_a_sender_with_a_quoted_local_part_has_no_form() -> None:
    """But for those in whose place Exim, SpamAssassin and amavisd write no local part, and rspamd none that needs quotes."""
    plain = [
        f"{row.case}; {written.wirings[0]}: {' '.join(field.text.split())}"
        for row in table.read("hostile")
        if row.hostile == "MAIL FROM local part" and row.sender.startswith('"')
        for written in row.written
        if "spf" in written.wirings[0]
        for field in table.header_of(written.fields)
        if "envelope-from=" in field.text
        and '"' not in field.text
        and any(octet in row.sender for octet in '();@,\t "\\<')
        if _is_plain(field) and any(octet in row.sender.rpartition("@")[0][1:-1] for octet in '();@,\t "<')
    ]
    assert plain == []


def _is_plain(field: HeaderField) -> bool:
    match field.key:
        case "authentication-results":
            return plain_forms.form_of(field.text, authentication_results.read(field.text)) is not None
        case "received-spf":
            return plain_forms.is_plain_received_spf(field.text)
    return True
