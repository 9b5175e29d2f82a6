"""Which header fields hold spam verdicts, and the scale of each.

A scale is one or more patterns and the score from which on that filter says spam, so that all of them come to score /
required:

- X-Spam-Status, -Flag, -Score, -Level (SpamAssassin, spampd, spamass-milter, amavisd, Exim, Proxmox, Stalwart): its
  `required`, else 5
- X-Spam_score, _score_int, _bar, X-Spam-Bar (Exim's examples, cPanel): 5; `_int` is ten times the score
- X-Spamd-Result, X-Spamd-Bar, X-Rspamd-*, X-Rspam-*, X-Spam (rspamd, Haraka): the number behind the slash, else 6
  (`add_header`)
- X-Forefront-Antispam-Report, X-MS-Exchange-*-SCL and the like (Microsoft): SCL, spam from 5; SFV and CAT that name a
  threat
- X-Microsoft-Antispam-Mailbox-Delivery (Microsoft): delivered to Junk
- Authentication-Results and its copies, compauth=fail (Microsoft): reasons 000, 002, 010, 6xx: by policy or as our
  own domain, no guess
- X-Gm-Spam, X-Gm-Phishy (Google Workspace): 1
- X-Proofpoint-Spam-Details (Proofpoint): its rule; score of 100, from 50
- X-Barracuda-Spam-Status (Barracuda): its TAG_LEVEL
- X-Vade-SpamState, -SpamScore, X-VR-*, X-Ovh-Spam-Status (Vade, OVH): its word, `spam:low` too; from 100 (200 was
  seen as SPAM)
- X-Pm-Spam-Action, X-Pm-Spamscore (Proton): its word; 5
- X-KSMG-AntiSpam-Status, -Rate, -AntiPhishing, X-KLMS-*, X-KSE-* (Kaspersky): its word; rate of 100, from 80 (spam
  was seen at 95)
- X-TM-AS-Result, X-TMASE-Result (Trend Micro): the second number
- X-PMX-Spam, X-PerlMx-Spam (Sophos PureMessage): probability, from 50%
- X-SES-Spam-Verdict, -Virus-Verdict (Amazon SES): FAIL
- X-CTCH-Spam, X-hMailServer-Spam, X-UI-Filterresults (Cyren, hMailServer, GMX): their word
- X-*-MailScanner-SpamCheck, X-DSPAM-Result, X-Bogosity, X-CRM114-Status (of the same name): their word
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

DEFAULT_REQUIRED = 5.0
"""SpamAssassin's own required_score, where a field names none."""

RSPAMD_REQUIRED = 6.0
"""rspamd's own score of the action `add header`."""

NUMBER = r"[-+]?\d{1,12}(?:[.,]\d{1,12})?"

HAM = re.compile(
    r"\A[\s\"'(\[]*+(?:\Z|[-/]|0+(?![\d.,])|(?:no|not|non|none|nothing|false|ham|clean|ok|legit|innocent|good|pass|gray|neutral|inbox"
    r"|unsure|unknown|whitelisted|trusted|skipped|disabled)(?![a-z]))",
    re.IGNORECASE,
)
"""What a field begins with that says: no spam, or nothing."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How a field is read. Groups of `patterns`: `flag` (it is spam), `score`, `required`, `bar` (as many characters as
    the score).

    All matches in the field count. `required` holds where the field names none. A `quiet` field that doesn't match
    states no verdict.
    `beside`: its filter tells in another field, beside it, from which score on it says spam. `ham`: what the field says
    instead, where no pattern matches.
    """

    patterns: tuple[re.Pattern[str], ...]
    required: float = DEFAULT_REQUIRED
    quiet: bool = False
    beside: bool = False
    ham: re.Pattern[str] = HAM


def _scale(
    *patterns: str,
    required: float = DEFAULT_REQUIRED,
    quiet: bool = False,
    beside: bool = False,
    ham: re.Pattern[str] = HAM,
) -> Scale:
    compiled = tuple(re.compile(pattern.replace("NUMBER", NUMBER), re.IGNORECASE) for pattern in patterns)
    return Scale(compiled, required, quiet, beside, ham)


_ANYTHING = re.compile("")

_PLAIN_SCORE = r"\A[\s\"]*+(?P<score>NUMBER)"
_SCORES = (
    # 18.8/5.0; spam, score=10.20 (Stalwart); **** (4.2)
    r"\A[\s\"]*+(?:(?:spam|yes|ham|no)\b[\s,:;]{0,9})?(?:(?:score|hits)\s{0,9}=\s{0,9})?(?P<score>NUMBER)(?:\s{0,9}/\s{0,9}(?P<required>NUMBER))?",
    r"\A[\s\"]*+(?P<flag>spam|yes|true)\b",
    r"\A\s*+[*+]++\s{0,9}\(?\s{0,9}(?P<score>NUMBER)",
)
_YES = _scale(r"\A[\s\"]*+(?P<flag>yes|true|spam)\b")
_BARS = (
    r"\A\s*+(?P<bar>\*++|\+++|#++|x++|s++)(?!\w)",
    r"\A[\s\"]*+(?P<score>NUMBER)",
    r"\A[A-Za-z ]{1,60}:\s*+(?P<score>NUMBER)",  # Proxmox: Spam detection results:  6
)
_STATUSES = (
    r"\A[\s\"]*+(?P<flag>yes|true|spam)\b",
    r"\b(?:score|hits)\s*=\s*\"?(?P<score>NUMBER)|\b(?:required|tag_level)\s*=\s*\"?(?P<required>NUMBER)",
    # 18.8/5.0, No/1.2
    r"\A[\s\"]*+(?:yes|no|true|false|spam|ham)?[\s,:/]{0,5}(?P<score>NUMBER)(?:\s{0,9}/\s{0,9}(?P<required>NUMBER))?",
)
_STATUS = _scale(*_STATUSES)
_ACTION = _scale(
    r"\A\s*+(?P<flag>add header|rewrite subject|reject|quarantine)\b",
    ham=re.compile(r"\A\s*+(?:no action|greylist|soft reject|accept|discard|none)", re.IGNORECASE),
)
_ONE = _scale(r"\A\s*+(?P<flag>1|yes|true)\b")
_FOREFRONT = _scale(
    r"(?<![^;\s])(?:SCL:(?P<score>-?\d)"
    r"|(?P<flag>SFV:(?:SPM|SKS|SKB|BLK)|CAT:(?:H?SPM|OSPM|H?PHSH|HPHISH|MALW|SPOOF|DIMP|UIMP|GIMP|AMP|INTOS)))(?![^;\s])",
    ham=_ANYTHING,
)
_SCL = _scale(_PLAIN_SCORE)
_VADE = _scale(
    r"\A[\s\"]*+(?P<flag>(?:probable[ _]|suspected[ _])?(?:spam|phish|malware|virus|scam|suspect|dce)\w*)",
    ham=re.compile(HAM.pattern + r"|\A\s*+commercial", re.IGNORECASE),
)
_VADE_SCORE = _scale(_PLAIN_SCORE, required=100.0)
_KASPERSKY = _scale(
    r"\A[\s\"]*+(?:KAS_STATUS_)?(?P<flag>spam|prob(?:able)?[ "
    r"_]?spam|blacklist\w*|phish\w*|malware|detected|infected)\b",
    ham=re.compile(
        HAM.pattern + r"|\A\s*+(?:KAS_STATUS_(?!SPAM)|not_?detected|massmail|formal|scan error)", re.IGNORECASE
    ),
)
_KASPERSKY_RATE = _scale(_PLAIN_SCORE, required=80.0)
_TREND = _scale(
    r"\A\s*+(?P<flag>yes)\b",
    # No-7.110300-8.000000-10, and in later versions No-10--3.487300-8.000000: a score below 0
    r"\A\s*+(?:yes|no)?-?(?:\d{1,3}-)?(?P<score>[-+]?\d{1,12}\.\d{1,12})-(?P<required>\d{1,12}\.\d{1,12})",
)
_PURE_MESSAGE = _scale(r"\b(?:Probability|SPAM)=(?P<score>NUMBER)%", required=50.0)
_VERDICT = _scale(r"\A\s*+(?P<flag>fail)\b")

RESULTS = "authentication-results"
"""Part of the names that Microsoft's own fields, and the copies that it makes of them, have."""

FIELDS: dict[str, Scale] = {
    "x-spam-status": _STATUS,
    "x-spam-flag": _YES,
    "x-spam": _YES,
    "x-spam-score": _scale(*_SCORES, beside=True),
    "x-spam_score": _scale(*_SCORES, beside=True),
    "x-spam-level": _scale(*_BARS, beside=True),
    "x-spam-bar": _scale(*_BARS, beside=True),
    "x-spam_bar": _scale(*_BARS, beside=True),
    "x-spamd-result": _scale(
        r"\A\s*+[\w.-]+:\s*(?:(?P<flag>true)|\w+)\s*\[\s*(?P<score>NUMBER)\s*/\s*(?P<required>NUMBER)\s*\]"
    ),
    "x-spamd-bar": _scale(*_BARS, required=RSPAMD_REQUIRED, beside=True),
    "x-rspamd-bar": _scale(*_BARS, required=RSPAMD_REQUIRED, beside=True),
    "x-rspamd-score": _scale(*_SCORES, required=RSPAMD_REQUIRED, beside=True),
    "x-rspamd-action": _ACTION,
    "x-spam-action": _ACTION,
    "x-rspam-status": _scale(*_STATUSES, required=RSPAMD_REQUIRED),
    "x-rspam-flag": _YES,
    "x-forefront-antispam-report": _FOREFRONT,
    "x-forefront-antispam-report-untrusted": _FOREFRONT,
    "x-ms-exchange-organization-scl": _SCL,
    "x-ms-exchange-crosspremises-scl": _SCL,
    "x-microsoft-antispam-mailbox-delivery": _scale(r"(?<![^;\s])(?P<flag>dest:J)(?![^;\s])", quiet=True),
    RESULTS: _scale(r"\bcompauth\s*=\s*(?P<flag>fail)\s+reason\s*=\s*(?:000|002|010|6\d\d)\b", quiet=True),
    "x-gm-spam": _ONE,
    "x-gm-phishy": _ONE,
    "x-proofpoint-spam-details": _scale(
        r"\brule=(?!\w*notspam)(?P<flag>\w*(?:spam|phish|malware)\w*)|\bscore=(?P<score>NUMBER)",
        required=50.0,
        ham=_ANYTHING,
    ),
    "x-barracuda-spam-status": _STATUS,
    "x-barracuda-spam-flag": _YES,
    "x-vade-spamstate": _VADE,
    "x-vade-spamscore": _VADE_SCORE,
    "x-vr-spamstate": _VADE,
    "x-vr-spamscore": _VADE_SCORE,
    "x-ovh-spam-status": _VADE,
    "x-pm-spam-action": _VADE,
    "x-pm-spamscore": _SCL,
    "x-tm-as-result": _TREND,
    "x-tmase-result": _TREND,
    "x-pmx-spam": _PURE_MESSAGE,
    "x-perlmx-spam": _PURE_MESSAGE,
    "x-ses-spam-verdict": _VERDICT,
    "x-ses-virus-verdict": _VERDICT,
    "x-ctch-spam": _scale(
        r"\A\s*+(?P<flag>confirmed|bulk|spam)\b",
        ham=re.compile(HAM.pattern + r"|\A\s*+(?:nonspam|suspect)", re.IGNORECASE),
    ),
    "x-hmailserver-spam": _YES,
    "x-ui-filterresults": _scale(
        r"\A\s*+(?P<flag>junk|spam|virus)\b", ham=re.compile(HAM.pattern + r"|\A\s*+(?:notjunk|unknown)", re.IGNORECASE)
    ),
    "x-dspam-result": _scale(r"\A\s*+(?P<flag>spam|blacklisted|blocklisted|virus)\b"),
    "x-bogosity": _YES,
    "x-crm114-status": _YES,
}
# ten times the score, so ten times what is required
for _name in ("x-spam_score_int", "x-spam-score-int"):
    FIELDS[_name] = _scale(_PLAIN_SCORE, required=10 * DEFAULT_REQUIRED)
for _product in ("ksmg", "klms", "kse"):
    FIELDS[f"x-{_product}-antispam-status"] = FIELDS[f"x-{_product}-antiphishing"] = _KASPERSKY
    FIELDS[f"x-{_product}-antispam-rate"] = _KASPERSKY_RATE

MAILSCANNER = "-mailscanner-spamcheck"
"""The end of a field's name: what stands ahead of it is the name of the organization."""

_MAILSCANNER_SCALE = _scale(r"\A\s*+(?P<flag>spam)\b|\bscore\s*=\s*(?P<score>NUMBER)|\brequired\s+(?P<required>NUMBER)")
_EXCHANGE = "x-ms-exchange-"
_REPORTS = ("antispam-report", "antispam-scancontext")
_QUIET_FOREFRONT = Scale(_FOREFRONT.patterns, quiet=True)


def scale_of(key: str) -> Scale | None:
    """The scale of a field by its name in lower case, or None where it holds no verdict."""
    return _known_scale(key) if len(key) <= _LONGEST_KNOWN else _known_scale.__wrapped__(key)


@functools.lru_cache(maxsize=4096)
def _known_scale(key: str) -> Scale | None:
    if (scale := FIELDS.get(key)) is not None:
        return scale
    if key.endswith(MAILSCANNER):
        return _MAILSCANNER_SCALE
    if key.startswith(_EXCHANGE):
        if key.endswith("-scl"):
            return _SCL
        if key.endswith(_REPORTS):
            return _QUIET_FOREFRONT
    return FIELDS[RESULTS] if RESULTS in key else None


_LONGEST_KNOWN = 64  # characters: longer names would only fill the cache
_FILTERS = ("x-spam", "x-rspam")


def of_a_filter(key: str) -> bool:
    """Does a field of that name stand among the verdicts that one filter writes in a row, whether or not it holds
    one?"""
    return key.startswith(_FILTERS)
