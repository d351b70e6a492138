"""Check the environment variables that third-party libraries read.

A library fails on a bad value in many ways, and names no variable.
"""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from claude_batch.errors import BadEnvironment

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
SOCKS = ("socks5", "socks5h")
SOCKS_PACKAGES = ("socksio", "socks")  # for the Anthropic SDK, and for PyGithub
# By variable: whether its value may be a folder.
CERTIFICATES = {
    "SSL_CERT_FILE": False,
    "GIT_SSL_CAINFO": False,
    "REQUESTS_CA_BUNDLE": True,
    "CURL_CA_BUNDLE": True,
}


def github_token(environ: Mapping[str, str]) -> str:
    """The token of GITHUB_TOKEN or GH_TOKEN, "" without one. Raises BadEnvironment."""
    name = next((name for name in ("GITHUB_TOKEN", "GH_TOKEN") if environ.get(name)), "")
    token = environ.get(name, "")
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise BadEnvironment(
            f"{name} cannot be a token: it has white space or special characters",
            "store it again, without a newline at its end",
        )
    return token


def check_web_address(name: str, url: str) -> None:
    """Raise BadEnvironment if the value of the variable is not an address of a web server."""
    if address_fault(url, ("http", "https")):
        raise BadEnvironment(
            f"{name} is not a web address: {url}", "unset it, or set it to https://HOST/PATH"
        )


def check_network(environ: Mapping[str, str]) -> None:
    """Check the variables that every HTTP client reads. Raises BadEnvironment."""
    check_certificates(environ)
    name, value = _either_case(environ, "NO_PROXY")
    bypassed = [host.strip() for host in value.split(",")]
    if "*" in bypassed:
        return
    if "[" in value or "]" in value:
        # The Anthropic SDK takes the brackets for a part of the name.
        raise BadEnvironment(
            f"{name} has brackets: {value}", "write an IPv6 address without them, such as ::1"
        )
    for proxy in PROXIES:
        name, value = _either_case(environ, proxy)
        if value:
            _check_proxy(name, value if "://" in value else f"http://{value}")


def check_certificates(environ: Mapping[str, str]) -> None:
    """Check that files of certificates can be read. Raises BadEnvironment."""
    for name, may_be_folder in CERTIFICATES.items():
        path = Path(environ.get(name, ""))
        if environ.get(name) and not (path.is_file() or (may_be_folder and path.is_dir())):
            what = "does not exist" if not path.exists() else "is not a file"
            raise _bad_certificates(name, f"{path} {what}")
    file = environ.get("SSL_CERT_FILE")
    if file:
        import ssl

        try:
            ssl.create_default_context(cafile=file)
        except OSError as error:
            raise _bad_certificates("SSL_CERT_FILE", f"{file} has no certificates") from error


def _bad_certificates(name: str, problem: str) -> BadEnvironment:
    return BadEnvironment(f"{name}: {problem}", "unset it, or set it to a file of PEM certificates")


def _either_case(environ: Mapping[str, str], name: str) -> tuple[str, str]:
    """The name and the value of a variable. In lower case it wins, as in Python and curl."""
    spelled = name.lower() if name.lower() in environ else name
    return spelled, environ.get(spelled, "")


def _check_proxy(name: str, url: str) -> None:
    fault = address_fault(url, ("http", "https", *SOCKS))
    if fault:
        raise BadEnvironment(
            f"{name} is not the address of a proxy: {fault}",
            "unset it, or set it to http://HOST:PORT",
        )
    if url.lower().startswith(SOCKS) and not all(map(find_spec, SOCKS_PACKAGES)):
        raise BadEnvironment(
            f"{name} names a SOCKS proxy, and the packages for it are not installed",
            "install `claude-batch[socks]`, or unset the variable",
        )


def address_fault(url: str, schemes: tuple[str, ...]) -> str:
    """The reason why a URL cannot be used; it may hold a password and is not repeated."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return str(error)
    if parts.scheme not in schemes:
        return f"{parts.scheme or 'no scheme'} is not one of {', '.join(schemes)}"
    return "" if host else "it has no host"
