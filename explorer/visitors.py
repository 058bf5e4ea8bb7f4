"""Where a visitor sits, and what follows from it: only visitors at this computer may start programs on it.

The app has no accounts. A visitor counts as local if the connection comes from this computer, to a name of this computer, and
through no proxy. The name counts because a foreign web page can make its own name lead to 127.0.0.1 (DNS rebinding).
"""

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

import streamlit as st

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
PROXY_HEADERS = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip")

FOREIGN_NAME = (
    "This app is for visitors of http://localhost only. To open it under another name or from another computer, start it with "
    "`posenet3d app --address 0.0.0.0`; everybody who can reach that address may then upload files to it."
)


@dataclass(frozen=True)
class Connection:
    """What is known of a visitor's connection.

    Attributes:
        ip: address of the other end; None for this computer.
        host: name in the browser's address bar, perhaps with a port; empty if it was not sent.
        is_forwarded: whether a proxy is between.
    """

    ip: str | None = None
    host: str = ""
    is_forwarded: bool = False

    @property
    def has_local_name(self) -> bool:
        """Whether the app was opened under a name of this computer."""
        try:
            return not self.host or urlsplit(f"//{self.host}").hostname in LOCAL_NAMES
        except ValueError:
            return False

    @property
    def is_local(self) -> bool:
        """Whether the visitor sits at this computer."""
        return self.has_local_name and not self.is_forwarded and (self.ip is None or _is_loopback(self.ip))


def connection() -> Connection:
    """Return the connection of the present visitor."""
    headers = st.context.headers
    is_forwarded = any(name in headers for name in PROXY_HEADERS)
    return Connection(st.context.ip_address, headers.get("Host") or "", is_forwarded)


def is_local() -> bool:
    """Return whether the present visitor may start programs on this computer."""
    return connection().is_local


def is_welcome() -> bool:
    """Return whether the app may be shown: an app that listens on this computer only is not opened under foreign names."""
    return st.get_option("server.address") not in LOCAL_NAMES or connection().has_local_name


def _is_loopback(ip: str) -> bool:
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
