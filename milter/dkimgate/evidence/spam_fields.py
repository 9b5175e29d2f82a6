"""Which header fields hold spam verdicts, and the scale of each.

A scale is a pattern and the score from which on that filter says spam, so that all of them come to score / required:

| field | written by | scale |
| --- | --- | --- |
| X-Spam-Status, -Flag, -Score, -Level | SpamAssassin, spampd, spamass-milter, amavisd, Exim | its `required`, else 5 (`required_score`) |
| X-Spam_score, _score_int, _bar, X-Spam-Bar | Exim's examples, cPanel | 5; `_int` is ten times the score |
| X-Spamd-Result, X-Spamd-Bar, X-Rspamd-*, X-Spam | rspamd, Haraka | the number behind the slash, else 6 (`add_header`) |
| X-Forefront-Antispam-Report, X-MS-Exchange-Organization-SCL | Microsoft | SCL, spam from 5; SFV and CAT that name a threat |
| Authentication-Results and its copies, compauth=fail | Microsoft | reasons 000, 002, 010, 6xx: by policy or as our own domain, no guess |
| X-Gm-Spam, X-Gm-Phishy | Google Workspace | 1 |
| X-Proofpoint-Spam-Details | Proofpoint | its rule; score of 100, from 50 |
| X-Barracuda-Spam-Status | Barracuda | its TAG_LEVEL |
| X-*-MailScanner-SpamCheck, X-DSPAM-Result, X-Bogosity, X-CRM114-Status | of the same name | their word |
"""

from __future__ import annotations

import re
from dataclasses import dataclass

DEFAULT_REQUIRED = 5.0
"""SpamAssassin's own required_score, where a field names none."""

RSPAMD_REQUIRED = 6.0
"""rspamd's own score of the action `add header`."""

NUMBER = r"[-+]?\d{1,12}(?:[.,]\d{1,12})?"


@dataclass(frozen=True, slots=True)
class Scale:
    """How a field is read. Groups of `pattern`: `flag` (it is spam), `score`, `required`, `bar` (as many characters as the score).

    All matches in the field count. `required` holds where the field names none. A `quiet` field that doesn't match states no verdict.
    """

    pattern: re.Pattern[str]
    required: float = DEFAULT_REQUIRED
    quiet: bool = False


def _scale(pattern: str, required: float = DEFAULT_REQUIRED, quiet: bool = False) -> Scale:
    return Scale(re.compile(pattern.replace("NUMBER", NUMBER), re.IGNORECASE), required, quiet)


_SCORE = _scale(r"\A[\s\"]*(?P<score>NUMBER)")
_YES = _scale(r"\A[\s\"]*(?P<flag>yes|true|spam)\b")
_BAR = _scale(r"\A\s*(?P<bar>\*+|\++|#+|x+|s+)")
_STATUS = _scale(
    r"\A[\s\"]*(?P<flag>yes|true|spam)\b"
    r"|\b(?:score|hits)\s*=\s*\"?(?P<score>NUMBER)"
    r"|\b(?:required|tag_level)\s*=\s*\"?(?P<required>NUMBER)"
)
_ACTION = _scale(r"\A\s*(?P<flag>add header|rewrite subject|reject|quarantine)\b")
_ONE = _scale(r"\A\s*(?P<flag>1|yes|true)\b")
_FOREFRONT = _scale(
    r"(?<![^;\s])(?:SCL:(?P<score>-?\d)"
    r"|(?P<flag>SFV:(?:SPM|SKS|SKB|BLK)|CAT:(?:H?SPM|OSPM|H?PHSH|HPHISH|MALW|SPOOF|DIMP|UIMP|GIMP|AMP|INTOS)))(?![^;\s])"
)

RESULTS = "authentication-results"
"""Part of the names that Microsoft's own fields, and the copies that it makes of them, have."""

FIELDS: dict[str, Scale] = {
    "x-spam-status": _STATUS,
    "x-spam-flag": _YES,
    "x-spam": _YES,
    "x-spam-score": _SCORE,
    "x-spam_score": _SCORE,
    "x-spam-level": _BAR,
    "x-spam-bar": _BAR,
    "x-spam_bar": _BAR,
    "x-spamd-result": _scale(r"\A\s*[\w.-]+:\s*(?:(?P<flag>true)|\w+)\s*\[\s*(?P<score>NUMBER)\s*/\s*(?P<required>NUMBER)\s*\]"),
    "x-spamd-bar": Scale(_BAR.pattern, RSPAMD_REQUIRED),
    "x-rspamd-bar": Scale(_BAR.pattern, RSPAMD_REQUIRED),
    "x-rspamd-score": Scale(_SCORE.pattern, RSPAMD_REQUIRED),
    "x-rspamd-action": _ACTION,
    "x-spam-action": _ACTION,
    "x-forefront-antispam-report": _FOREFRONT,
    "x-forefront-antispam-report-untrusted": _FOREFRONT,
    "x-ms-exchange-organization-scl": _SCORE,
    RESULTS: _scale(r"\bcompauth\s*=\s*(?P<flag>fail)\s+reason\s*=\s*(?:000|002|010|6\d\d)\b", quiet=True),
    "x-gm-spam": _ONE,
    "x-gm-phishy": _ONE,
    "x-proofpoint-spam-details": _scale(
        r"\brule=(?!\w*notspam)(?P<flag>\w*(?:spam|phish|malware)\w*)|\bscore=(?P<score>NUMBER)", required=50.0
    ),
    "x-barracuda-spam-status": _STATUS,
    "x-barracuda-spam-flag": _YES,
    "x-dspam-result": _scale(r"\A\s*(?P<flag>spam|blacklisted|blocklisted|virus)\b"),
    "x-bogosity": _YES,
    "x-crm114-status": _YES,
}
# ten times the score, so ten times what is required
for _name in ("x-spam_score_int", "x-spam-score-int"):
    FIELDS[_name] = Scale(_SCORE.pattern, 10 * DEFAULT_REQUIRED)

MAILSCANNER = "-mailscanner-spamcheck"
"""The end of a field's name: what stands ahead of it is the name of the organization."""

_MAILSCANNER_SCALE = _scale(r"\A\s*(?P<flag>spam)\b|\bscore\s*=\s*(?P<score>NUMBER)|\brequired\s+(?P<required>NUMBER)")


def scale_of(key: str) -> Scale | None:
    """The scale of a field by its name in lower case, or None where it holds no verdict."""
    if (scale := FIELDS.get(key)) is not None:
        return scale
    if key.endswith(MAILSCANNER):
        return _MAILSCANNER_SCALE
    return FIELDS[RESULTS] if RESULTS in key else None
