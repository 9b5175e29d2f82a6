"""miltertest(8) plays Postfix towards the signer of a chain: with macros and addresses as the test likes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import dkim

from tests.chain import world
from tests.chain.harness import Chain
from tests.chain.mail import Letter, tag

SCRIPT = Path(__file__).parent / "pass_message.lua"


@dataclass(frozen=True, slots=True)
class Client:
    """The SMTP session that the milter is told of."""

    name: str
    ip: str
    auth: str | None = None
    daemon: str | None = None


LOCALHOST = Client("localhost", "127.0.0.1")
"""What Postfix says of mail that came through sendmail(1)."""


def signatures(chain: Chain, letter: Letter, client: Client, *, recipient: str = world.VICTIM) -> list[str]:
    """Hand a message to the signer. Gives the DKIM-Signature fields that it inserts, with CRLF line ends."""
    file = chain.folder / "milter-letter.eml"
    file.write_bytes(letter.raw)
    variables = {
        "socket": chain.folder / "signer.sock",
        "message": file,
        "client_name": client.name,
        "client_ip": client.ip,
        "sender": letter.author,
        "recipient": recipient,
        "queue_id": "4F2A7C9E01",
        "auth": client.auth,
        "daemon": client.daemon,
    }
    options = [option for name, value in variables.items() if value is not None for option in ("-D", f"{name}={value}")]
    printed = chain.namespace.run("miltertest", *options, "-s", SCRIPT)
    fields = printed.strip().replace("\r\n", "\n").split("\nDKIM-Signature:") if printed.strip() else []
    return [("DKIM-Signature:" + field.removeprefix("DKIM-Signature:")).replace("\n", "\r\n") for field in fields]


def verifies(chain: Chain, letter: Letter, signature: str) -> bool:
    """Does dkimpy find the signature valid, with the key that the world's DNS publishes?"""
    record = chain.keys.record(tag(signature, "d"), tag(signature, "s"))
    valid: bool = dkim.verify(
        signature.encode("ascii") + b"\r\n" + letter.raw, dnsfunc=lambda *_, **__: record.encode("ascii")
    )
    return valid
