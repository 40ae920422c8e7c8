"""The way out to people, through Apprise: mail, chats, webhooks. Addresses hold passwords: no error shows one."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from nbflow.notebooks.mask import SHORTEST, Mask
from nbflow.ports import Delivery, Letter

if TYPE_CHECKING:
    from apprise import NotifyBase

TRIES = 3
"""At once, one after the other, before the message goes back to the outbox for later."""

HOSTED = {"mailto", "mailtos", "json", "jsons", "xml", "xmls", "form", "forms"}
"""Kinds of addresses that begin with a host; in others a token may stand there."""

OPEN = {
    "format",
    "overflow",
    "verify",
    "mode",
    "smtp",
    "from",
    "name",
    "to",
    "cc",
    "bcc",
    "reply",
    "method",
    "cto",
    "rto",
}
"""Options of addresses that hold no password or token: how a message looks, who sends it and who gets it."""

HEADER = "X-Nbflow-Message"
"""Header of mails and webhooks with the message's id: two of the same id are one message that was sent again."""


class AppriseNotifier:
    """ports.Notifier for the channels of nbflow.toml. `pause` waits between two of `tries`."""

    def __init__(
        self,
        channels: Mapping[str, Sequence[str]],
        *,
        server_url: str | None = None,
        tries: int = TRIES,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._channels, self._server_url = channels, server_url
        self._tries, self._pause = tries, pause

    def send(self, channel: str, letter: Letter, done: Sequence[str] = ()) -> Delivery:
        if channel not in self._channels:
            return Delivery(done=tuple(done), errors=(f"nbflow.toml has no channel '{channel}'",))
        taken, errors = list(done), []
        for number, url in enumerate(self._channels[channel], start=1):
            if (mark := _mark(url)) in taken:
                continue
            error = self._send(url, letter)
            if error:
                errors.append(f"{_named(number, channel)}: {Mask(secrets_of(url)).text(error)}")
            else:
                taken.append(mark)
        return Delivery(done=tuple(taken), errors=tuple(errors))

    def _send(self, url: str, letter: Letter) -> str:
        """Why it could not be sent; empty where it was."""
        try:
            plugin = _plugin(url, self._server_url)
            if plugin is None:
                return "Apprise does not understand it"
            _name(plugin, letter.id)
            return self._try(plugin, url, letter)
        except Exception as error:  # whatever a service's plugin does, the others get their message
            return f"{type(error).__name__}: {error}"

    def _try(self, plugin: NotifyBase, url: str, letter: Letter) -> str:
        from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_exponential

        retrying = Retrying(
            stop=stop_after_attempt(self._tries),
            wait=wait_exponential(max=8),
            retry=retry_if_result(bool),
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else "it was not tried",
            sleep=self._pause,
        )
        said: str = retrying(_once, plugin, url, letter)
        return said


def unknown_addresses(channels: Mapping[str, Sequence[str]]) -> list[str]:
    """`address 2 of channel 'ops'` for each that Apprise cannot use."""
    return [
        _named(number, channel)
        for channel, urls in channels.items()
        for number, url in enumerate(urls, start=1)
        if _plugin(url, None) is None
    ]


def _named(number: int, channel: str) -> str:
    return f"address {number} of channel '{channel}'"


def _plugin(url: str, server_url: str | None) -> NotifyBase | None:
    from apprise import Apprise, AppriseAsset

    asset = AppriseAsset(app_id="nbflow", app_desc="nbflow", app_url=server_url or "", async_mode=False)
    with _Said():
        found: NotifyBase | None = Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    return found


def _once(plugin: NotifyBase, url: str, letter: Letter) -> str:
    from apprise import NotifyFormat, NotifyType

    body, form = letter.short, NotifyFormat.TEXT
    if _is_mail(plugin):
        wants_text = "text" in parse_qs(urlsplit(url).query).get("format", ())
        body, form = (letter.text, form) if wants_text else (letter.html, NotifyFormat.HTML)
    with _Said() as said:
        is_sent = plugin.notify(title=letter.subject, body=body, body_format=form, notify_type=NotifyType(letter.tone))
    return "" if is_sent else said.last or "it was not taken"


def _is_mail(plugin: NotifyBase) -> bool:
    """Also where another service sends it: then its own form is HTML."""
    from apprise import NotifyFormat
    from apprise.plugins.email import NotifyEmail

    return isinstance(plugin, NotifyEmail) or plugin.notify_format == NotifyFormat.HTML


def _name(plugin: NotifyBase, message: str) -> None:
    """Mails and webhooks carry headers; other services have the id in the text alone."""
    headers: Any = getattr(plugin, "headers", None)
    if isinstance(headers, dict):
        headers[HEADER] = message


class _Said(logging.Handler):
    """What Apprise says while it works: its errors are in its log only."""

    def __init__(self) -> None:
        super().__init__(level=logging.WARNING)
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()

    def __enter__(self) -> _Said:
        logging.getLogger("apprise").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("apprise").removeHandler(self)


def _mark(url: str) -> str:
    """Tells an address from the others, and nothing of what it is."""
    return sha256(url.encode()).hexdigest()[:12]


def secrets_of(url: str) -> list[str]:
    """What an error must not show: the address, and what in it may be a password or a token, as written and as meant.

    Words that stand there openly are none: hidden as well, they would blot out every `from` in a log.
    """
    scheme, _, rest = url.partition("://")
    before, _, query = rest.partition("?")
    place, *path = re.split("[/=]", before)
    user, _, host = place.rpartition("@")
    name, _, password = user.partition(":")
    options = [option.partition("=") for option in query.split("&")]
    words = [password, *path, *(value or option for option, _, value in options if option not in OPEN)]
    words += [host] if scheme not in HOSTED else []
    words += [name] if scheme not in HOSTED or not password else []
    return [url, rest, *(form for word in words if len(word) >= SHORTEST for form in (word, unquote(word)))]
