"""Spam verdicts of the filters that people run beside Postfix, on one scale; and those of a filter that the operator describes."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dkimgate.evidence import spam
from dkimgate.evidence.spam_fields import FIELDS
from dkimgate.facts import Spam, Standing
from dkimgate.message.message import Connection, HeaderField
from tests.world.mail import AUTHOR, BORDER, OUTSIDE, facts, message

HAM = Spam()
FOREFRONT = "X-Forefront-Antispam-Report"
REPORT = "CIP:192.0.2.1;CTRY:US;LANG:en;SCL:{};SRV:;IPV:NLI;SFV:{};H:mail.y.example;PTR:mail.y.example;CAT:{};SFS:(13230040)(376014);DIR:INB;"
AMAVIS = "Yes, score=6.51 tagged_above=2 required=6.31 tests=[BAYES_50=0.8, HTML_MESSAGE=0.001] autolearn=no"
RSPAMD = "default: {} [{} / {}]; ARC_NA(0.00)[]; R_SPF_FAIL(1.00)[-all]; FROM_HAS_DN(0.00)[]"
PROOFPOINT = "rule={} policy=default score={} bulkscore=99 phishscore=99 adultscore=99 mlxscore={} mlxlogscore=999 spamscore={} classifier=spam"

VERDICTS = [
    # field, value, verdict
    ("X-Spam-Status", AMAVIS, Spam(True, 6.51, 6.31)),
    ("X-Spam-Status", AMAVIS.replace("Yes, score=6.51", "No, score=1.5"), Spam(False, 1.5, 6.31)),
    (
        "X-Spam-Status",
        "No, score=-99.9 tagged_above=-999 required=6.31 WHITELISTED tests=[] autolearn=unavailable",
        Spam(False, 0.0, 6.31),
    ),
    ("X-Spam-Status", "No, score=x tagged_above=2 required=6.31 tests=[]", Spam(False, 0.0, 6.31)),
    ("X-Spam-Status", "Yes, hits=12.3 tagged_above=-999.0 required=5.0 tests=A, B", Spam(True, 12.3, 5.0)),
    ("X-Spam-Status", "Yes score=8.1 required=5.0", Spam(True, 8.1, 5.0)),
    ("X-Spam-Status", "Yes, score=8,1 required=5,5", Spam(True, 8.1, 5.5)),
    ("X-Spam-Status", "Yes, score=14.9 (rspamd)", Spam(True, 14.9, 5.0)),
    ("X-Spam-Level", "**************", Spam(False, 14.0, 5.0)),
    ("X-Spam-Level", "", HAM),
    ("X-Spam-Level", "xxxxx", Spam(False, 5.0, 5.0)),
    ("X-Spam-Level", "+++ (3.5)", Spam(False, 3.0, 5.0)),
    ("X-Spam_score", "7.4", Spam(False, 7.4, 5.0)),
    ("X-Spam_score_int", "74", Spam(False, 74.0, 50.0)),
    ("X-Spam_bar", "+++++++", Spam(False, 7.0, 5.0)),
    ("X-Spam-Bar", "/", HAM),
    ("X-Spam-Bar", "---", HAM),
    ("X-Spamd-Result", RSPAMD.format("False", "3.20", "15.00"), Spam(False, 3.2, 15.0)),
    ("X-Spamd-Result", RSPAMD.format("True", "21.40", "15.00"), Spam(True, 21.4, 15.0)),
    ("X-Spamd-Result", RSPAMD.format("True", "-1.00", "15.00"), Spam(True, 15.0, 15.0)),
    ("X-Spamd-Result", RSPAMD.format("False", "nan", "nan"), HAM),
    ("X-Spamd-Bar", "+++++++", Spam(False, 7.0, 6.0)),
    ("X-Spamd-Bar", "++++", Spam(False, 4.0, 6.0)),
    ("X-Rspamd-Score", "6.00", Spam(False, 6.0, 6.0)),
    ("X-Rspamd-Score", "-0.50", Spam(False, 0.0, 6.0)),
    ("X-Rspamd-Action", "add header", Spam(True, 5.0, 5.0)),
    ("X-Rspamd-Action", "rewrite subject", Spam(True, 5.0, 5.0)),
    ("X-Rspamd-Action", "no action", HAM),
    ("X-Rspamd-Action", "greylist", HAM),
    ("X-Spam", "Yes", Spam(True, 5.0, 5.0)),
    ("X-Spam", "no", HAM),
    (FOREFRONT, REPORT.format("5", "SPM", "SPM"), Spam(True, 5.0, 5.0)),
    (FOREFRONT, REPORT.format("9", "SPM", "HPHISH"), Spam(True, 9.0, 5.0)),
    (FOREFRONT, REPORT.format("6", "NSPM", "NONE"), Spam(False, 6.0, 5.0)),
    (FOREFRONT, REPORT.format("1", "NSPM", "NONE"), Spam(False, 1.0, 5.0)),
    (FOREFRONT, REPORT.format("-1", "SKN", "NONE"), HAM),
    (FOREFRONT, REPORT.format("", "SKB", ""), Spam(True, 5.0, 5.0)),
    (FOREFRONT, REPORT.format("1", "NSPM", "SPOOF"), Spam(True, 5.0, 5.0)),
    (FOREFRONT, REPORT.format("4", "NSPM", "BULK"), Spam(False, 4.0, 5.0)),
    (FOREFRONT, "SFV:SPM", Spam(True, 5.0, 5.0)),
    (FOREFRONT, "XSCL:9;SCL:99;NSFV:SPM;SFV:SPMX", HAM),
    (f"{FOREFRONT}-Untrusted", REPORT.format("8", "SPM", "SPM"), Spam(True, 8.0, 5.0)),
    ("X-MS-Exchange-Organization-SCL", "6", Spam(False, 6.0, 5.0)),
    ("X-MS-Exchange-Organization-SCL", "-1", HAM),
    (
        "Authentication-Results",
        "spf=none; dmarc=fail action=quarantine header.from=x.example;compauth=fail reason=000",
        Spam(True, 5.0, 5.0),
    ),
    ("Authentication-Results", "spf=none;compauth=fail reason=601", Spam(True, 5.0, 5.0)),
    ("Authentication-Results", "spf=none;compauth=fail reason=001", None),
    ("Authentication-Results", "spf=none;compauth=pass reason=100", None),
    ("Authentication-Results", "mx.elsewhere.example; dmarc=fail header.from=x.example", None),
    ("X-Gm-Spam", "1", Spam(True, 5.0, 5.0)),
    ("X-Gm-Spam", "0", HAM),
    ("X-Gm-Phishy", "1", Spam(True, 5.0, 5.0)),
    ("X-Proofpoint-Spam-Details", PROOFPOINT.format("spam", "100", "100", "100"), Spam(True, 100.0, 50.0)),
    ("X-Proofpoint-Spam-Details", PROOFPOINT.format("inbound_spam", "0", "0", "0"), Spam(True, 50.0, 50.0)),
    ("X-Proofpoint-Spam-Details", PROOFPOINT.format("notspam", "0", "0", "0"), Spam(False, 0.0, 50.0)),
    (
        "X-Proofpoint-Spam-Details",
        PROOFPOINT.format("outbound_policy_notspam", "49", "99", "99"),
        Spam(False, 49.0, 50.0),
    ),
    (
        "X-Barracuda-Spam-Status",
        "Yes, SCORE=5.50 using global scores of TAG_LEVEL=3.5 QUARANTINE_LEVEL=1000.0 KILL_LEVEL=9.0",
        Spam(True, 5.5, 3.5),
    ),
    ("X-Barracuda-Spam-Flag", "YES", Spam(True, 5.0, 5.0)),
    (
        "X-Company-MailScanner-SpamCheck",
        "spam, SpamAssassin (not cached, score=11.1, required 6, A 1.0)",
        Spam(True, 11.1, 6.0),
    ),
    ("X-Company-MailScanner-SpamCheck", "not spam, SpamAssassin (cached, score=-2, required 6)", Spam(False, 0.0, 6.0)),
    ("X-DSPAM-Result", "Spam", Spam(True, 5.0, 5.0)),
    ("X-DSPAM-Result", "Innocent", HAM),
    ("X-Bogosity", "Spam, tests=bogofilter, spamicity=0.999, version=1.2.5", Spam(True, 5.0, 5.0)),
    ("X-Bogosity", "Ham, tests=bogofilter, spamicity=0.000", HAM),
    ("X-CRM114-Status", "SPAM (-10.5)", Spam(True, 5.0, 5.0)),
    # score and limit alone, or behind the word
    ("X-Spam-Status", "18.8/5.0, autolearn=no", Spam(False, 18.8, 5.0)),
    ("X-Spam-Status", "No, 1.2 / 5.0", Spam(False, 1.2, 5.0)),
    ("X-Spam-Status", "Yes, score=10.20", Spam(True, 10.2, 5.0)),
    ("X-Rspam-Status", "Yes, score=15.20 required=5.0", Spam(True, 15.2, 5.0)),
    ("X-Rspam-Status", "No/7.2", Spam(False, 7.2, 6.0)),
    ("X-Rspam-Flag", "YES", Spam(True, 5.0, 5.0)),
    ("X-Spam-Score", "spam, score=10.20", Spam(True, 10.2, 5.0)),
    ("X-Spam-Score", "ham, score=-1.20", HAM),
    ("X-Spam-Score", "18.8/5.0", Spam(False, 18.8, 5.0)),
    ("X-Spam-Score", "**** (4.2)", Spam(False, 4.2, 5.0)),
    ("X-Spam-Score", "4.5 (****) BAYES_50", Spam(False, 4.5, 5.0)),
    # a level in words is no bar
    ("X-Spam-Level", "Spam detection results:  6 SOME_RULE  6.0 a reason", Spam(False, 6.0, 5.0)),
    ("X-Spam-Level", "Spam detection results:  0", HAM),
    ("X-Spam-Level", "7", Spam(False, 7.0, 5.0)),
    ("X-Spam-Level", "Sss", Spam(False, 3.0, 5.0)),
    ("X-Spam-Level", "Some words", HAM),
    ("X-MS-Exchange-CrossPremises-SCL", "6", Spam(False, 6.0, 5.0)),
    ("X-MS-Exchange-CrossPremises-SCL", "1", Spam(False, 1.0, 5.0)),
    ("X-MS-Exchange-Elsewhere-SCL", "9", Spam(False, 9.0, 5.0)),
    ("X-MS-Exchange-CrossPremises-Antispam-ScanContext", "DIR:Originating;SFV:SPM;SKIP:0;", Spam(True, 5.0, 5.0)),
    ("X-MS-Exchange-CrossPremises-Antispam-ScanContext", "DIR:Originating;SFV:NSPM;SKIP:0;", None),
    ("X-Microsoft-Antispam-Mailbox-Delivery", "ucf:0;jmr:0;auth:0;dest:J;ENG:(910001);", Spam(True, 5.0, 5.0)),
    ("X-Microsoft-Antispam-Mailbox-Delivery", "ucf:0;jmr:0;auth:0;dest:I;ENG:(910001);", None),
    ("X-Vade-SpamState", "spam:medium", Spam(True, 5.0, 5.0)),
    ("X-Vade-SpamState", "spam:low", Spam(True, 5.0, 5.0)),
    ("X-Vade-SpamState", "phishing", Spam(True, 5.0, 5.0)),
    ("X-Vade-SpamState", "clean", HAM),
    ("X-Vade-SpamState", "commercial:mce", HAM),
    ("X-Vade-SpamScore", "340", Spam(False, 340.0, 100.0)),
    ("X-Vade-SpamScore", "49", Spam(False, 49.0, 100.0)),
    ("X-Vade-SpamScore", "-100", HAM),
    ("X-VR-SpamState", "SPAM", Spam(True, 5.0, 5.0)),
    ("X-VR-SpamState", "OK", HAM),
    ("X-VR-SpamScore", "200", Spam(False, 200.0, 100.0)),
    ("X-Ovh-Spam-Status", "SPAM", Spam(True, 5.0, 5.0)),
    ("X-Ovh-Spam-Status", "OK", HAM),
    ("X-Pm-Spam-Action", "phishing", Spam(True, 5.0, 5.0)),
    ("X-Pm-Spam-Action", "inbox", HAM),
    ("X-Pm-Spamscore", "0", HAM),
    ("X-Pm-Spamscore", "102", Spam(False, 102.0, 5.0)),
    ("X-KSMG-AntiSpam-Status", "spam", Spam(True, 5.0, 5.0)),
    ("X-KSMG-AntiSpam-Status", "not_detected", HAM),
    ("X-KSMG-AntiSpam-Status", "not scanned, disabled by settings", HAM),
    ("X-KLMS-AntiSpam-Status", "probable_spam", Spam(True, 5.0, 5.0)),
    ("X-KLMS-AntiSpam-Status", "massmail", HAM),
    ("X-KSE-AntiSpam-Status", "KAS_STATUS_NOT_DETECTED", HAM),
    ("X-KSE-AntiSpam-Status", "KAS_STATUS_SPAM", Spam(True, 5.0, 5.0)),
    ("X-KSMG-AntiSpam-Rate", "95", Spam(False, 95.0, 80.0)),
    ("X-KLMS-AntiSpam-Rate", "20", Spam(False, 20.0, 80.0)),
    ("X-KSE-AntiSpam-Rate", "0", HAM),
    ("X-KSMG-AntiPhishing", "NotDetected", HAM),
    ("X-KLMS-AntiPhishing", "Clean, bases: 2021/06/11 09:09:00", HAM),
    ("X-KSE-AntiPhishing", "Phishing", Spam(True, 5.0, 5.0)),
    ("X-TM-AS-Result", "Yes-4.038400-4.000000-31", Spam(True, 4.0384, 4.0)),
    ("X-TM-AS-Result", "No-7.110300-8.000000-10", Spam(False, 7.1103, 8.0)),
    ("X-TM-AS-Result", "No-10--16.549100-8.000000", Spam(False, 0.0, 8.0)),
    ("X-TMASE-Result", "10-7.221300-10.000000", Spam(False, 7.2213, 10.0)),
    ("X-TMASE-Result", "10--24.342000-8.000000", Spam(False, 0.0, 8.0)),
    ("X-TMASE-Result", "10-12.500000-8.000000", Spam(False, 12.5, 8.0)),
    ("X-PMX-Spam", "Gauge=IIIIIIII, Probability=8%, Report=' MULTIPLE_RCPTS 0.1'", Spam(False, 8.0, 50.0)),
    ("X-PMX-Spam", "Gauge=XXXXXXXXXIIIII, Probability=95%, Report='X 0.1'", Spam(False, 95.0, 50.0)),
    ("X-PerlMx-Spam", "Gauge=, SPAM=7%, Reasons='EMC_FROM_00+ -0'", Spam(False, 7.0, 50.0)),
    ("X-SES-Spam-Verdict", "FAIL", Spam(True, 5.0, 5.0)),
    ("X-SES-Spam-Verdict", "PASS", HAM),
    ("X-SES-Virus-Verdict", "FAIL", Spam(True, 5.0, 5.0)),
    ("X-CTCH-Spam", "Confirmed", Spam(True, 5.0, 5.0)),
    ("X-CTCH-Spam", "Unknown", HAM),
    ("X-hMailServer-Spam", "YES", Spam(True, 5.0, 5.0)),
    ("X-UI-Filterresults", "junk:10;V03:K0:abc", Spam(True, 5.0, 5.0)),
    ("X-UI-Filterresults", "notjunk:1;V03:K0:abc", HAM),
    ("X-Spam-Report", "Yes, score=99 required=1", None),
    ("Subject", "Yes, score=99 required=1", None),
]


@pytest.mark.parametrize(("name", "value", "expected"), VERDICTS)
def test_what_it_says_is_read(name: str, value: str, expected: Spam | None) -> None:
    """But for what was written to be misread."""
    header = (HeaderField(name.encode(), b" " + value.encode()),)
    odd = value in ("No, score=x tagged_above=2 required=6.31 tests=[]", "Some words") or "nan" in value
    assert [verdict.unread for verdict in spam.verdicts_of(header)] == (
        [odd and not value.startswith("No,")] if expected is not None else []
    )


@pytest.mark.parametrize(("name", "value", "expected"), VERDICTS)
def test_the_verdict_of_a_filter(name: str, value: str, expected: Spam | None) -> None:
    verdict = spam.verdict_of(HeaderField(name.encode(), b" " + value.encode()))
    if expected == HAM:
        assert verdict is not None and (verdict.flag, verdict.score) == (False, 0.0)
    else:
        assert verdict == expected


def test_the_table_has_every_filter() -> None:
    assert set(FIELDS) <= {name.lower() for name, _, _ in VERDICTS} | {
        "x-spam-flag",
        "x-spam-score",
        "x-rspamd-bar",
        "x-spam-action",
        "x-spam-score-int",
    }


# --- a limit that another field names ---------------------------------------------------------------------------------------------------

RESULT = "X-Spamd-Result: default: False [7.20 / 15.00]\n"
BESIDE = [
    # fields of one run above the border, whether it is spam
    (RESULT + "X-Spamd-Bar: +++++++\n", False),
    ("X-Spamd-Bar: +++++++\n" + RESULT, False),
    ("X-Spam-Level: *******\nX-Rspamd-Server: mx\nX-Rspamd-Queue-Id: 1\n" + RESULT, False),
    (RESULT + "X-Spam-Score: 7.20\n", False),
    (RESULT + "X-Rspamd-Score: 7.20\n", False),
    ("X-Spam-Status: No, score=7.2 required=15.0\nX-Spam-Level: *******\n", False),
    ("X-Spam-Level: *******\n", True),  # nothing names a limit
    (RESULT + "X-A: b\nX-Spam-Level: *******\n", True),  # not in a row
    (RESULT + "X-Spam-Level: ********\n", True),  # another score, so another filter's
    (RESULT + "X-Spam-Level: *********\n", True),
    (RESULT + "X-Spam-Status: No, score=7.2 required=8.0\nX-Spam-Level: *******\n", True),  # two limits
    (RESULT + "X-Spam-Status: No, score=7.2\nX-Spam-Level: *******\n", True),  # a status decides for itself
    (RESULT + "X-Spam-Flag: YES\nX-Spam-Level: *******\n", True),
    (RESULT + "X-Spam-Score: spam, score=7.20\n", True),
    (RESULT + "X-MS-Exchange-Organization-SCL: 7\n", True),
    ("X-Spamd-Result: default: False [7.20 / 0.00]\nX-Spam-Level: *******\n", True),
    ("X-Spamd-Result: default: False [7.20 / 3.00]\nX-Spam-Level: *******\n", True),
]


@pytest.mark.parametrize(("fields", "is_spam"), BESIDE)
def test_the_limit_that_a_field_beside_names(fields: str, is_spam: bool) -> None:
    assert facts(fields + BORDER + AUTHOR).arrival.spam.spam is is_spam


LIMITS = [
    RESULT,
    RESULT.replace("15.00", "1000.00"),
    "X-Spam-Status: No, score=7.2 required=1000\n",
    "X-Spam-Score: 7.2/1000\n",
    "X-Rspam-Status: No, 7.2/1000\n",
    "X-Company-MailScanner-SpamCheck: not spam, score=7.2, required 1000\n",
]


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("bar", ["X-Spam-Level: *******\n", "X-Spamd-Bar: +++++++\n", "X-Spam-Score: 7.2\n"])
def test_no_limit_of_a_sender_counts_beside_a_bar_of_ours(limit: str, bar: str) -> None:
    """He foretells the score, and puts his limit where our filter writes: at the end, or in place of a field of its name."""
    for header in (
        BORDER + AUTHOR + limit + bar,
        BORDER + limit + bar + AUTHOR,
        BORDER + bar + limit + AUTHOR,
        bar + BORDER + limit + AUTHOR,
    ):
        assert facts(header).arrival.spam.spam
    session = message(limit + bar + AUTHOR, OUTSIDE)
    login = message(bar + limit + AUTHOR, Connection(ip="192.0.2.66", auth="mallory"))
    for arrived in (session, login):
        assert facts(arrived).arrival.spam.spam


WRITTEN = [
    *(
        "X-Spam-Level: *******\n",
        "X-Spamd-Bar: ++++++++\n",
        "X-Spam-Score: 7.2\n",
        "X-Spam-Status: Yes, score=7.2 required=5\n",
    ),
    *("X-Spam-Flag: YES\n", "X-Rspamd-Server: mx\n", RESULT, "X-A: b\n"),
]


@given(
    st.lists(st.sampled_from(WRITTEN), max_size=4),
    st.lists(st.sampled_from([*LIMITS, *WRITTEN]), max_size=4),
    st.integers(0, 4),
)
def test_what_a_sender_adds_makes_no_verdict_better(ours: list[str], his: list[str], end: int) -> None:
    above, appended = ours[:end], ours[end:]
    before = facts("".join(above) + BORDER + AUTHOR + "".join(appended)).arrival.spam
    after = facts("".join(above) + BORDER + "".join(his) + AUTHOR + "".join(his) + "".join(appended)).arrival.spam
    assert after.ratio >= before.ratio and (after.spam or not before.spam)


@pytest.mark.parametrize("name", [*FIELDS, "X-Company-MailScanner-SpamCheck"])
@given(value=st.text(max_size=60))
def test_any_text_makes_a_sane_verdict(name: str, value: str) -> None:
    verdict = spam.verdict_of(HeaderField(name.encode(), b" " + value.encode("utf-8", "surrogatepass")))
    assert verdict is None or (0 <= verdict.score <= 1e12 and verdict.required > 0)


def test_the_worst_field_counts_and_claims_name_each() -> None:
    header = (
        "X-Spam-Status: No, score=-9.9 required=5.0\n"
        f"{FOREFRONT}: {REPORT.format('5', 'SPM', 'SPM')}\n"
        f"X-Spamd-Result: {RSPAMD.format('False', '14.00', '15.00')}\n"
        "Authentication-Results: spf=none;compauth=fail reason=000\n"
    )
    found = facts(BORDER + header + AUTHOR)
    assert found.arrival.spam == Spam(True, 5.0, 5.0)
    assert [(claim.field, claim.result) for claim in found.claims if claim.method == "spam"] == [
        ("X-Spam-Status", "no"),
        (FOREFRONT, "yes"),
        ("X-Spamd-Result", "no"),
        ("Authentication-Results", "yes"),
    ]
    assert {claim.standing for claim in found.claims} == {Standing.UPSTREAM}


CPANEL = "X-Spam-Status: No, score=1.2\nX-Spam-Score: 12\nX-Spam-Bar: +\nX-Ham-Report: none\nX-Spam-Flag: NO\n"


def test_cpanel_writes_ten_times_the_score() -> None:
    assert facts(BORDER + CPANEL + AUTHOR).arrival.spam == Spam(False, 1.2, 5.0)


@pytest.mark.parametrize(
    "change",
    [
        ("score=1.2", "score=2.2"),  # another score
        ("X-Spam-Bar: +", "X-Spam-Bar: +++++++++++"),
        ("X-Spam-Bar: +", "X-Other: +"),
        ("X-Spam-Score: 12", "X-Spam-Score: 12.0"),
        ("X-Spam-Score: 12\n", "X-Spam-Score: 12\nReceived: by x; y\n"),
        ("X-Spam-Status: No, score=1.2\n", "X-Spam-Status: No, score=1.2\nReceived: by x; y\n"),
    ],
)
def test_what_is_not_quite_cpanels_counts_in_full(change: tuple[str, str]) -> None:
    assert facts(BORDER + CPANEL.replace(*change) + AUTHOR).arrival.spam.spam


def test_hostile_fields_of_known_names_take_no_time() -> None:
    hostile = [
        "score=" * 2000,
        "*" * 9000,
        '"' * 9000,
        "required=1 " * 900,
        "(" * 9000,
        "SCL:;" * 2000,
        "rule=" + "a" * 9000,
        "compauth=fail " * 900,
    ]
    header = message("".join(f"{name}: {value}\n" for name in FIELDS for value in hostile)).header
    started = time.process_time()
    spam.verdicts_of(header)
    assert time.process_time() - started < 2.0
