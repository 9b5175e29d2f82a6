"""The control: with OpenDKIM as the signer, the chain shows the laundering. So the tests of the gate can fail."""

from __future__ import annotations

import pytest

from tests.chain import scenarios, world
from tests.chain.harness import Chain
from tests.chain.mail import GTUBE

pytestmark = pytest.mark.servers

both_domains = pytest.mark.parametrize("domain", [world.HOSTED, world.HOSTED_SPF])
"""Without and with the forwarder in the domain's SPF record."""


@both_domains
@pytest.mark.parametrize("forge", [scenarios.forgery, scenarios.dressed_forgery, scenarios.rerouted_forgery])
def test_a_forgery_is_laundered(control: Chain, domain: str, forge: scenarios.Scenario) -> None:
    got = forge(control, domain)
    assert (got.arrival("dmarc"), got.arrival("spf"), got.arrival("dkim")) == ("fail", "fail", "none")
    assert got.valid_signatures() == [f"{domain}/gate"]
    assert got.departure("dmarc") == "pass"


@pytest.mark.parametrize("forge", [scenarios.dressed_forgery, scenarios.rerouted_forgery])
def test_the_forwarders_own_name_does_not_keep_a_forged_field_out(control: Chain, forge: scenarios.Scenario) -> None:
    got = forge(control, world.HOSTED)
    assert sum(field.text.startswith(f"{world.FORWARDER}; dmarc=pass") for field in got.header) == 1


def test_forged_spam_is_laundered(control: Chain) -> None:
    got = scenarios.forgery(control, world.HOSTED, text=GTUBE)
    assert (got.arrival("dmarc"), got.spam()) == ("fail", "Yes")
    assert got.valid_signatures() == ["hosted.example/gate"]
    assert got.departure("dmarc") == "pass"


def test_spam_of_the_hosted_domain_gets_a_second_signature(control: Chain) -> None:
    got = scenarios.from_other_server(control, GTUBE)
    assert (got.arrival("dmarc"), got.spam()) == ("pass", "Yes")
    assert got.valid_signatures() == ["hosted.example/gate", "hosted.example/own"]


@both_domains
def test_own_mail_is_signed(control: Chain, domain: str) -> None:
    for got in (scenarios.own_mail(control, domain), scenarios.submitted_mail(control, domain)):
        assert got.arrival("dmarc") is None, "nobody checks own mail"
        assert got.valid_signatures() == [f"{domain}/gate"]
        assert got.departure("dmarc") == "pass"


def test_a_strangers_good_mail_keeps_its_own_signature(control: Chain) -> None:
    got = scenarios.from_stranger(control, "Hello, here is the recipe you asked for.")
    assert (got.arrival("dmarc"), got.spam()) == ("pass", "No")
    assert got.valid_signatures() == ["good.example/own"]
    assert (got.departure("spf"), got.departure("dmarc")) == ("fail", "pass")
