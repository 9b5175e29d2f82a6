"""Senders rewritten and restored: what postsrsd 1.10 wrote, what hostile senders write, and that one is the other's inverse."""

from __future__ import annotations

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dkimgate.srs import LONGEST_ADDRESS, NotRestored, Refusal, Secrets, restore, rewrite

OURS = "bounce.forwarder.example"
SECRETS = Secrets((b"correct horse battery staple", b"second secret, an older one"))
OTHERS = Secrets((b"nobody knows this one here",))
NOW = 1_795_291_042.0  # 2026-11-21, day stamp JK
DAY = 86_400

WRITTEN_BY_POSTSRSD = [
    ("friend@hosted.example", "SRS0=mUZt=JK=hosted.example=friend"),
    ("Friend.Of@Hosted.Example", "SRS0=bhtt=JK=Hosted.Example=Friend.Of"),
    ("a=b+c/d@x.example", "SRS0=m1AA=JK=x.example=a=b+c/d"),
    ("SRS0=abcd=JK=x.example=y@other.example", "SRS1=oYBn=other.example==abcd=JK=x.example=y"),
    ("srs1+abcd=first.example=+abcd=JK=x.example=y@other.example", "SRS1=ilQ1=first.example=+abcd=JK=x.example=y"),
    ("SRS0-@x.example", "SRS1=2aQ8=x.example=-"),
]


def rewritten(sender: str, domain: str = OURS, secrets: Secrets = SECRETS, now: float = NOW) -> str:
    made = rewrite(sender, domain, secrets, now)
    assert isinstance(made, str), made
    return made


@pytest.mark.parametrize(("sender", "local"), WRITTEN_BY_POSTSRSD)
def test_it_is_what_postsrsd_writes(sender: str, local: str) -> None:
    assert rewritten(sender) == f"{local}@{OURS}"


def test_a_bounce_finds_its_way_back_over_three_hosts() -> None:
    first = rewritten("friend@hosted.example")
    second = rewritten(first, "second.example", OTHERS)
    third = rewritten(second, "third.example", OTHERS)
    assert third.partition("=")[0] == "SRS1"
    assert f"={OURS}==" in third, "the first hop is kept, the second is left out"
    assert restore(third, "third.example", OTHERS, NOW) == first
    assert restore(second, "second.example", OTHERS, NOW) == first
    assert restore(first, OURS, SECRETS, NOW) == "friend@hosted.example"


def test_a_message_that_comes_by_again_is_restored_in_one_go() -> None:
    second = rewritten(rewritten("friend@hosted.example"), "second.example", OTHERS)
    again = rewritten(second)
    assert again.startswith("SRS1=")
    assert restore(again, OURS, SECRETS, NOW) == "friend@hosted.example"


@pytest.mark.parametrize(
    "sender", [f"postmaster@{OURS}", f"SRS0=x=AA=y.example=z@{OURS}", f"SRS1=a=b==c@{OURS.upper()}"]
)
def test_what_is_ours_stays_as_it_is(sender: str) -> None:
    assert rewrite(sender, OURS, SECRETS, NOW) == sender


REFUSED = [
    ("", Refusal.NULL_SENDER),
    ("MAILER-DAEMON", Refusal.NO_DOMAIN),
    ("friend@", Refusal.NO_DOMAIN),
    ("@hosted.example", Refusal.CHARACTERS),
    ("friend@[192.0.2.1]", Refusal.BAD_DOMAIN),
    ("friend@hosted..example", Refusal.BAD_DOMAIN),
    ("friend@hosted.example.", Refusal.BAD_DOMAIN),
    ("friend@hosted=x.example", Refusal.BAD_DOMAIN),
    ("friend@-hosted.example", Refusal.BAD_DOMAIN),
    ("friend@hosted.example\n", Refusal.BAD_DOMAIN),
    ("friend@hosted.example>", Refusal.BAD_DOMAIN),
    ("<friend@hosted.example", Refusal.CHARACTERS),
    ('"a friend"@hosted.example', Refusal.QUOTED),
    ('"friend"@hosted.example', Refusal.QUOTED),
    ("fründ@hosted.example", Refusal.NOT_ASCII),
    ("friend@hösted.example", Refusal.NOT_ASCII),
    ("friend\udcff@hosted.example", Refusal.NOT_ASCII),
    ("a friend@hosted.example", Refusal.CHARACTERS),
    ("friend\r\nRCPT TO:<x@y.example>@hosted.example", Refusal.CHARACTERS),
    ("friend\0@hosted.example", Refusal.CHARACTERS),
    ("friend%other.example@hosted.example", Refusal.CHARACTERS),
    ("other.example!friend@hosted.example", Refusal.CHARACTERS),
    ("@a.example,@b.example:friend@hosted.example", Refusal.CHARACTERS),
    ("friend@a.example@hosted.example", Refusal.CHARACTERS),
    (".friend@hosted.example", Refusal.CHARACTERS),
    ("fri..end@hosted.example", Refusal.CHARACTERS),
    ("x" * 240 + "@hosted.example", Refusal.TOO_LONG),
    ("x" * 210 + "@hosted.example", Refusal.TOO_LONG),
    ("x" * 1_000_000 + "@hosted.example", Refusal.TOO_LONG),
]


@pytest.mark.parametrize(
    ("sender", "why"), REFUSED, ids=[f"{number}-{row[1].name}" for number, row in enumerate(REFUSED)]
)
def test_what_can_not_be_rewritten(sender: str, why: Refusal) -> None:
    assert rewrite(sender, OURS, SECRETS, NOW) is why


def test_a_long_local_part_is_rewritten_as_far_as_a_path_goes() -> None:
    """VERP: 64 octets would leave 40 for a local part and its domain."""
    longest = LONGEST_ADDRESS - len(f"SRS0=HHHH=TT=news.example=@{OURS}")
    sender = "b" * longest + "@news.example"
    made = rewritten(sender)
    assert len(made) == LONGEST_ADDRESS
    assert restore(made, OURS, SECRETS, NOW) == sender
    assert rewrite("b" + sender, OURS, SECRETS, NOW) is Refusal.TOO_LONG


@pytest.mark.parametrize(
    "sender", ["SRS1=junk@x.example", "SRS1=a=b=c@x.example", "SRS1=abcd=-x.example==y@x.example", "SRS0x@x.example"]
)
def test_what_only_begins_like_srs_is_an_address_like_any_other(sender: str) -> None:
    made = rewritten(sender)
    assert made.startswith("SRS0=")
    assert restore(made, OURS, SECRETS, NOW) == sender


def test_a_guarded_address_can_only_lead_to_an_srs_address() -> None:
    """Or whoever has us forward a message could choose any address on earth for its bounce."""
    made = rewritten("SRS1=xxxx=victim.example==anybody@evil.example")
    assert restore(made, OURS, SECRETS, NOW) == "SRS0=anybody@victim.example"


GOOD = f"SRS0=mUZt=JK=hosted.example=friend@{OURS}"
NOT_RESTORED = [
    ("friend@hosted.example", NotRestored.NOT_OURS),
    (GOOD.replace(OURS, "other.example"), NotRestored.NOT_OURS),
    (GOOD.replace(OURS, f"x.{OURS}"), NotRestored.NOT_OURS),
    ("", NotRestored.NOT_OURS),
    (f"postmaster@{OURS}", NotRestored.NOT_SRS),
    (f"SRS2=mUZt=JK=hosted.example=friend@{OURS}", NotRestored.NOT_SRS),
    (f"SRS0@{OURS}", NotRestored.NOT_SRS),
    (f"SRS0=@{OURS}", NotRestored.MALFORMED),
    (f"SRS0=mUZt=JK=hosted.example@{OURS}", NotRestored.MALFORMED),
    (f"SRS0=mUZt=JK=hosted.example=@{OURS}", NotRestored.MALFORMED),
    (f"SRS0=mUZt=J1=hosted.example=friend@{OURS}", NotRestored.MALFORMED),
    (f"SRS0=mUZt=JKL=hosted.example=friend@{OURS}", NotRestored.MALFORMED),
    (f"SRS1=mUZt=hosted.example@{OURS}", NotRestored.MALFORMED),
    (f"SRS1=mUZt=hosted.example=friend@{OURS}", NotRestored.MALFORMED),
    (GOOD.replace("friend", "fri\nend"), NotRestored.MALFORMED),
    (GOOD.replace("friend", "x" * 400), NotRestored.MALFORMED),
    (GOOD.replace("mUZt", "mUZu"), NotRestored.FORGED),
    (GOOD.replace("mUZt", "mUZ"), NotRestored.FORGED),
    (GOOD.replace("mUZt", "mUZtA"), NotRestored.FORGED),
    (GOOD.replace("mUZt", "m" * 28), NotRestored.FORGED),
    (GOOD.replace("friend", "foe"), NotRestored.FORGED),
    (GOOD.replace("hosted", "h0sted"), NotRestored.FORGED),
    (GOOD.replace("JK", "JL"), NotRestored.FORGED),
    (f"SRS1=oYBn=0ther.example==abcd=JK=x.example=y@{OURS}", NotRestored.FORGED),
    (f"SRS1=oYB=other.example==abcd=JK=x.example=y@{OURS}", NotRestored.FORGED),
]


@pytest.mark.parametrize(
    ("address", "why"), NOT_RESTORED, ids=[f"{number}-{row[1].name}" for number, row in enumerate(NOT_RESTORED)]
)
def test_what_can_not_be_restored(address: str, why: NotRestored) -> None:
    assert restore(address, OURS, SECRETS, NOW) is why


@pytest.mark.parametrize(
    "address", [GOOD.lower(), GOOD.upper(), GOOD.replace("SRS0=", "srs0+"), GOOD.replace("SRS0=", "SRS0-")]
)
def test_hosts_on_the_way_may_change_case_and_separator(address: str) -> None:
    restored = restore(address, OURS, SECRETS, NOW)
    assert isinstance(restored, str)
    assert restored.lower() == "friend@hosted.example"


def test_every_secret_verifies_and_the_first_signs() -> None:
    older = Secrets(SECRETS.all[1:])
    made = rewritten("friend@hosted.example", secrets=older)
    assert made != rewritten("friend@hosted.example")
    assert restore(made, OURS, SECRETS, NOW) == "friend@hosted.example"
    assert restore(made, OURS, Secrets(SECRETS.all[:1]), NOW) is NotRestored.FORGED


def test_a_longer_hash_counts_with_all_its_characters_and_in_both_alphabets() -> None:
    """`postsrsd -n 8`, and postsrsd 2.2.6 and later, which write base64url."""
    import base64
    import hashlib
    import hmac

    for number in range(200):
        user = f"user{number}"
        digest = hmac.new(SECRETS.all[0], f"jkhosted.example{user}".encode(), hashlib.sha1).digest()
        for alphabet in (base64.b64encode, base64.urlsafe_b64encode):
            full = alphabet(digest).decode().rstrip("=")
            for length in (4, 8, 27):
                address = f"SRS0={full[:length]}=JK=hosted.example={user}@{OURS}"
                assert restore(address, OURS, SECRETS, NOW) == f"{user}@hosted.example"
        wrong = f"{full[:7]}{'a' if full[7] not in 'aA' else 'b'}"
        assert restore(f"SRS0={wrong}=JK=hosted.example={user}@{OURS}", OURS, SECRETS, NOW) is NotRestored.FORGED


@pytest.mark.parametrize("start", [NOW, 0.0, 1023 * DAY, 1024 * DAY - 1, 1010 * DAY])
def test_an_address_is_good_for_21_days(start: float) -> None:
    made = rewritten("friend@hosted.example", now=start)
    for days in (-1, 0, 1, 20, 21):
        assert restore(made, OURS, SECRETS, start + days * DAY) == "friend@hosted.example", days
    for days in (-3, -2, 22, 23, 500, 1022):
        assert restore(made, OURS, SECRETS, start + days * DAY) is NotRestored.EXPIRED, days


ATEXT = string.ascii_letters + string.digits + "#$&'*+-/=?^_`{|}~"
locals_ = st.lists(st.text(ATEXT, min_size=1, max_size=12), min_size=1, max_size=3).map(".".join)
labels = st.text(string.ascii_letters + string.digits + "_", min_size=1, max_size=10)
hosts = st.lists(labels, min_size=1, max_size=4).map(".".join)
senders = st.builds("{}@{}".format, locals_, hosts)
hostile = st.one_of(
    st.text(max_size=300),
    st.builds("{}@{}".format, st.text(max_size=40), st.text(max_size=40)),
    st.lists(
        st.sampled_from(
            [
                "SRS0",
                "srs1",
                "=",
                "==",
                "+",
                "-",
                "@",
                OURS,
                "hosted.example",
                "AA",
                "mUZt",
                '"',
                "%",
                "!",
                " ",
                "\0",
                "\r\n",
                "<",
                ">",
                ".",
                "ü",
            ]
        ),
        max_size=14,
    ).map("".join),
)


@given(senders, st.floats(0, 4e9))
def test_law_the_round_trip_gives_the_sender_back(sender: str, now: float) -> None:
    made = rewritten(sender, now=now)
    assert restore(made, OURS, SECRETS, now) == sender


@given(senders)
def test_law_the_round_trip_by_way_of_another_host(sender: str) -> None:
    first = rewritten(sender, "first.example", OTHERS)
    second = rewrite(first, OURS, SECRETS, NOW)
    assert isinstance(second, str)
    assert restore(second, OURS, SECRETS, NOW) == first


@given(st.one_of(hostile, senders))
@example(f"SRS1=x=y=={OURS}")
@example("a@b\n")
@example("@")
def test_law_no_sender_makes_it_raise_or_leave_our_domain(sender: str) -> None:
    made = rewrite(sender, OURS, SECRETS, NOW)
    if isinstance(made, str):
        local, _, host = made.rpartition("@")
        assert host.lower() == OURS
        assert len(made) <= LONGEST_ADDRESS
        assert local.isascii()
        assert set(local) <= set(ATEXT + ".")
        assert not local.startswith(".")
        assert not local.endswith(".")
        assert ".." not in local


@given(
    st.one_of(
        hostile,
        hostile.map(lambda text: f"{text}@{OURS}"),
        st.builds("SRS0={}={}={}={}@{}".format, hostile, hostile, hosts, locals_, st.just(OURS)),
    )
)
def test_law_no_address_is_restored_that_we_have_not_made(address: str) -> None:
    assert isinstance(restore(address, OURS, SECRETS, NOW), NotRestored)


def test_no_hash_that_some_hosts_refuse() -> None:
    """Yandex refuses a sender with `/` in it. Both spellings are read, and an SRS0 stays one that every postsrsd reads."""
    for number in range(2000):
        first = rewritten(f"user{number}@hosted.example")
        second = rewritten(first.replace(OURS, "second.example"))
        assert first.split("=")[1].isalnum(), first
        assert "/" not in second.split("=")[1] and "+" not in second.split("=")[1]
        slashed = second.split("=")[1].replace("-", "+").replace("_", "/")
        for address in (second, second.replace(second.split("=")[1], slashed, 1)):
            assert restore(address, OURS, SECRETS, NOW) == first.replace(OURS, "second.example")
        assert restore(first, OURS, SECRETS, NOW + 15 * DAY) == f"user{number}@hosted.example"
