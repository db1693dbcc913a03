"""A TLS handshake as a gRPC client makes it, and the certificate that it meets."""

import contextlib
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from grpc_platform_tools.call.clock import ms_since, now
from grpc_platform_tools.call.steps import Certificate, Handshake, Target
from grpc_platform_tools.errors import UserError

# X509_V_ERR_..., https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/
_NOT_YET_VALID, _EXPIRED, _WRONG_NAME = 9, 10, 62


@dataclass(frozen=True, kw_only=True)
class Roots:
    """The authorities that are trusted, for the handshake here and for gRPC's."""

    context: ssl.SSLContext
    pem: bytes | None
    """None: those that come with gRPC."""


def read_roots(file: Path | None) -> Roots:
    """Those of `file`, or this machine's own. Raises UserError if the file holds none."""
    own = file or ssl.get_default_verify_paths().cafile
    try:
        context = ssl.create_default_context(cafile=file)
        pem = Path(own).read_bytes() if own else None
    except (OSError, ssl.SSLError) as error:
        raise UserError(f"--ca {file}: no certificates can be read from it ({error})") from error
    context.set_alpn_protocols(["h2"])
    return Roots(context=context, pem=pem)


def shake_hands(connection: socket.socket, target: Target, roots: Roots) -> Handshake:
    """Verify the other side's certificate; where that fails, still say what it shows."""
    started = now()
    address, timeout = connection.getpeername()[0], connection.gettimeout()
    try:
        with roots.context.wrap_socket(connection, server_hostname=target.server_name) as tls:
            return Handshake(
                outcome="verified",
                version=tls.version() or "",
                http2=tls.selected_alpn_protocol() == "h2",
                certificate=_certificate(tls),
                ms=ms_since(started),
            )
    except ssl.SSLCertVerificationError as error:
        shown = _look_without_trust(address, target, timeout)
        outcome = "untrusted"
        if error.verify_code == _WRONG_NAME:
            outcome = "wrong name"
        elif error.verify_code == _EXPIRED:
            outcome = "expired"
        elif error.verify_code == _NOT_YET_VALID:
            outcome = "not yet valid"
        return Handshake(outcome=outcome, reason=error.verify_message, certificate=shown)
    except OSError as error:  # ssl.SSLError is one
        return Handshake(outcome="failed", reason=getattr(error, "reason", None) or str(error))


def speaks_tls(address: str, target: Target, timeout: float) -> bool:
    """Whether the port completes a handshake, whatever its certificate."""
    return _look_without_trust(address, target, timeout) is not None


def _look_without_trust(address: str, target: Target, timeout: float | None) -> Certificate | None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    with (
        contextlib.suppress(OSError),
        socket.create_connection((address, target.port), timeout) as connection,
        context.wrap_socket(connection, server_hostname=target.server_name) as tls,
    ):
        return _certificate(tls)
    return None


def _certificate(tls: ssl.SSLSocket) -> Certificate | None:
    shown = tls.getpeercert(binary_form=True)
    if shown is None:
        return None
    certificate = x509.load_der_x509_certificate(shown)
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names = ()
    return Certificate(
        names=tuple(str(name.value) for name in names),
        issuer=certificate.issuer.rfc4514_string(),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
    )
