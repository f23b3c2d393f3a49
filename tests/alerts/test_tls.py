"""A receiver behind TLS: the certificate is checked against the name, wherever the name leads."""

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from alerts.settings import ReceiverSettings
from alerts.webhook import Webhook
from forewarn.base.clock import SystemClock
from tests.support.listener import Listener, listening


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl not installed")
    path = tmp_path / "cert.pem"
    subject = ["-subj", "/CN=receiver.test", "-addext", "subjectAltName=DNS:receiver.test"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(tmp_path / "key.pem")]
    subprocess.run(
        [program, "req", "-x509", *key, "-out", str(path), "-days", "2", *subject], check=True, capture_output=True
    )
    return path


def context(certificate: Path) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate, certificate.with_name("key.pem"))
    return made


def hook(listener: Listener, name: str) -> Webhook:
    url = listener.url.replace("http://127.0.0.1", f"https://{name}")
    settings = ReceiverSettings.model_validate({"name": "ops", "url": url})
    return Webhook(settings, SystemClock(), lambda *_: ["127.0.0.1"])


def test_a_trusted_certificate_of_the_name(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with listening(tls=context(certificate)) as listener:
        assert hook(listener, "receiver.test").post(b"{}").verdict == "delivered"
    assert listener.requests[0].headers["Host"].startswith("receiver.test:")


def test_a_trusted_certificate_of_another_name(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with listening(tls=context(certificate)) as listener:
        outcome = hook(listener, "other.test").post(b"{}")
    assert (outcome.verdict, outcome.reason) == ("retry", "connection")
    assert listener.requests == []


def test_a_certificate_that_nobody_vouches_for(certificate: Path) -> None:
    with listening(tls=context(certificate)) as listener:
        outcome = hook(listener, "receiver.test").post(b"{}")
    assert (outcome.verdict, outcome.reason) == ("retry", "connection")
    assert outcome.detail.startswith("TLS:")
    assert listener.requests == []
