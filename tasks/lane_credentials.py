"""Credentials that live as long as one run: only its own processes can reach its lanes."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from distributed import Security

TOLERANCE = timedelta(days=365)
"""How far the clock may step in either direction while a run lasts."""


def make_credentials() -> Security:
    """Make a key and a certificate that signs itself, in memory only, for scheduler, lanes and client.

    As `distributed.Security.temporary`, whose certificate begins to be valid now: where the clock steps back
    during a run, no lane that starts later could connect.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lanes")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("lanes")]), critical=False)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - TOLERANCE)
        .not_valid_after(now + TOLERANCE)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    public = certificate.public_bytes(serialization.Encoding.PEM).decode()
    roles = {f"tls_{role}_{what}": text for role in ("client", "scheduler", "worker")
             for what, text in (("key", private), ("cert", public))}  # fmt: skip
    return Security(require_encryption=True, tls_ca_file=public, **roles)
