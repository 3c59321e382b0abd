"""A certificate authority of the test's own, with certificates for the server and for the clients."""

import subprocess
from pathlib import Path

_NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
_DAYS = ["-days", "2"]


class Certificates:
    """Writes `ca.pem`, and key and certificate of `server` (for localhost and 127.0.0.1) and `client`, into `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.ca = folder / "ca.pem"
        self._ca_key = folder / "ca.key"
        authority = ["-subj", "/CN=test authority", "-addext", "basicConstraints=critical,CA:TRUE"]
        _openssl("req", "-x509", *_NEW_KEY, *_DAYS, *authority, "-keyout", self._ca_key, "-out", self.ca)
        self.server_cert, self.server_key = self._issue("server", "DNS:localhost,IP:127.0.0.1", "serverAuth,clientAuth")
        self.client_cert, self.client_key = self._issue("client", "DNS:client", "clientAuth")

    @property
    def options(self) -> dict[str, str]:
        """The options of a member that trusts this authority and shows the client certificate."""
        return {"tls": "true", "tls_ca": str(self.ca), "tls_cert": str(self.client_cert), "tls_key": str(self.client_key)}

    def _issue(self, name: str, names: str, usage: str) -> tuple[Path, Path]:
        key, request, cert, extensions = (self._folder / f"{name}.{kind}" for kind in ("key", "csr", "pem", "ext"))
        extensions.write_text(f"basicConstraints=CA:FALSE\nsubjectAltName={names}\nextendedKeyUsage={usage}\n")
        _openssl("req", *_NEW_KEY, "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        authority: list[str | Path] = ["-CA", self.ca, "-CAkey", self._ca_key, "-CAcreateserial"]
        _openssl("x509", "-req", "-in", request, *authority, *_DAYS, "-extfile", extensions, "-out", cert)
        return cert, key


def _openssl(*words: str | Path) -> None:
    done = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {words[0]} failed:\n{done.stderr}")
