"""A real Postfix tells the gate how the session was encrypted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chain import rewriting, world
from tests.chain.namespace import missing_for_namespaces
from tests.needs import need, need_program

pytestmark = pytest.mark.servers

CLIENT = """
import json, smtplib, ssl, sys
told = json.load(sys.stdin)
anybody = ssl.create_default_context()
anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
for encrypted in (False, True):
    with smtplib.SMTP(told["to"], 25, local_hostname="client.example", timeout=20) as client:
        client.ehlo()
        if encrypted:
            client.starttls(context=anybody)
            client.ehlo()
        client.sendmail("x@stranger.example", [told["recipient"]], "From: x@stranger.example\\r\\n\\r\\nPay me.\\r\\n")
"""


def test_the_version_and_the_cipher_are_in_the_record(tmp_path: Path) -> None:
    for program in (*rewriting.PROGRAMS, "openssl"):
        need_program(program)
    need(missing_for_namespaces())
    tmp_path.chmod(0o755)
    certificate = tmp_path / "certificate.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=mx", "-days", "2"]
    subprocess.run([*made, "-keyout", certificate, "-out", tmp_path / "only.pem"], check=True, capture_output=True)
    certificate.write_text(certificate.read_text() + (tmp_path / "only.pem").read_text())
    settings = {"smtpd_tls_security_level": "may", "smtpd_tls_chain_files": str(certificate)}
    with rewriting.started(settings, ("tlsmgr unix - - n 1000? 1 tlsmgr",)) as host:
        told = {"to": world.ADDRESSES[world.FORWARDER], "recipient": world.VICTIM}
        host.namespace.run(sys.executable, "-c", CLIENT, text=json.dumps(told).encode())
        plain, encrypted = host.daemon.records()
    assert plain["client"]["tls"] is None
    version, _, cipher = encrypted["client"]["tls"].partition(" ")
    assert version.startswith("TLSv1.") and cipher
