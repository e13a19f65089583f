"""Calls of the Hub's own client that can be cancelled, wait politely and keep the token at home.

What can go wrong, each with a sentence that names the thing and the way out:

    HubError
    ├── BadName                 a repository or endpoint that can't exist
    ├── Offline                 not to be known without the network, which is switched off
    ├── Unreachable             no connection: refused, no such host, no network
    │   ├── Stalled             connected, and then silence
    │   └── Dropped             connected, and cut off
    ├── NoRepository
    ├── NoRevision
    ├── NoFile
    ├── Refused                 403
    │   ├── TokenRefused        401 in spite of a token
    │   ├── TokenWanted         401 from an endpoint that gets no token
    │   ├── Gated               terms of use to be accepted first
    │   └── Disabled            taken down
    ├── TooManyRequests         429, still after waiting
    ├── HubTrouble              5xx, still after waiting
    └── OddAnswer               not what the Hub's protocol says

`Cancelled` stands apart: nobody waits for the answer any longer.
"""

import logging
import math
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Literal, TypeVar
from urllib.parse import urlsplit

import httpx2
from huggingface_hub import HfApi, constants
from huggingface_hub.errors import (
    DisabledRepoError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    OIDCError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import (  # type: ignore[attr-defined]  # exported lazily
    get_session,
    parse_ratelimit_headers,
    set_client_factory,
    validate_repo_id,
)
from huggingface_hub.utils._http import default_client_factory

from pythia_gui import __version__
from pythia_gui.core.engine import Cancel
from pythia_gui.core.fingerprint import CheckpointError

log = logging.getLogger(__name__)

T = TypeVar("T")

PUBLIC_HUB = "https://huggingface.co"
POLL_S = 0.05
NEVER = threading.Event()
"""A cancel for those who never lose interest."""


class HubError(CheckpointError):
    """Something about the Hub; the text is one sentence with the way out."""


class BadName(HubError):
    """A repository or endpoint that can't exist."""


class Offline(HubError):
    """Not to be known without the network, which is switched off."""


class Unreachable(HubError):
    """No connection."""


class Stalled(Unreachable):
    """A connection on which nothing comes."""


class Dropped(Unreachable):
    """A connection that was cut off."""


class NoRepository(HubError):
    """No repository of that name, or none that may be seen."""


class NoRevision(HubError):
    """No such branch, tag or commit."""


class NoFile(HubError):
    """No such file in that revision."""


class Refused(HubError):
    """The Hub knows it and doesn't give it."""


class TokenRefused(Refused):
    """The Hub doesn't accept the token."""


class TokenWanted(Refused):
    """The endpoint asks for a token and gets none."""


class Gated(Refused):
    """The terms of the repository have to be accepted first."""


class Disabled(Refused):
    """The Hub took the repository down."""


class TooManyRequests(HubError):
    """The rate limit, still after waiting."""


class HubTrouble(HubError):
    """A failure on the Hub's side, still after waiting."""


class OddAnswer(HubError):
    """An answer that the Hub's protocol doesn't know."""


class Cancelled(Exception):
    """Nobody waits for the answer any longer."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A pause before the next request, announced every second with what is left of it."""

    reason: Literal["own limit", "rate limit", "hub trouble", "dropped"]
    seconds_left: int

    @property
    def sentence(self) -> str:
        """What to show while it lasts."""
        why = {
            "own limit": "Keeping under the Hub's rate limit",
            "rate limit": "The Hub asks to wait",
            "hub trouble": "The Hub has trouble",
            "dropped": "The connection was cut off",
        }[self.reason]
        return f"{why}: next request in {self.seconds_left} s"


Notify = Callable[[Waiting], None]


def ignore(_waiting: Waiting) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a call may take before it is given up, and how often it is made.

    Attributes:
        connect_s: for a connection to come about.
        silence_s: without a byte.
        answer_s: for the whole answer.
        tries: how often a busy or troubled Hub is asked, the first time included.
        first_wait_s: before the second try, where the Hub names no time; it doubles from then on.
        longest_backoff_s: where that doubling ends.
        longest_wait_s: the longest wait the Hub may ask for; beyond it the call fails at once.
    """

    connect_s: float = 10.0
    silence_s: float = 30.0
    answer_s: float = 120.0
    tries: int = 6
    first_wait_s: float = 1.0
    longest_backoff_s: float = 16.0
    longest_wait_s: float = 900.0


class Throttle:
    """Keeps the requests of a sliding window under a limit.

    The Hub lets the anonymous make 500 API requests in five minutes
    (https://huggingface.co/docs/hub/rate-limits), and says in each answer how many are left
    to this address, other programs' included.
    """

    def __init__(self, limit: int = 450, window_s: float = 300.0) -> None:
        self._limit, self._window_s = limit, window_s
        self._made: deque[float] = deque()
        self._closed_until = 0.0
        self._lock = threading.Lock()

    def count(self) -> None:
        """Note that a request goes out."""
        with self._lock:
            self._made.append(time.monotonic())

    def hear(self, headers: Mapping[str, str]) -> None:
        """Note what an answer says about the requests that are left."""
        told = parse_ratelimit_headers(headers)
        if told is not None and told.resource_type == "api" and told.remaining <= 0:
            with self._lock:
                self._closed_until = time.monotonic() + told.reset_in_seconds

    def wait_s(self) -> float:
        """Return in how many seconds the next request may go out; 0 is now."""
        now = time.monotonic()
        with self._lock:
            while self._made and self._made[0] <= now - self._window_s:
                self._made.popleft()
            full = len(self._made) >= self._limit
            own = self._made[-self._limit] + self._window_s - now if full else 0.0
            return max(0.0, own, self._closed_until - now)


@dataclass(frozen=True, slots=True)
class _Call:
    """What the hooks of the shared session must know about the call they serve."""

    endpoint: str
    patience: Patience
    throttle: Throttle
    abandoned: threading.Event = field(default_factory=threading.Event)


_HOOKS_LOCK = threading.Lock()
_CALL: ContextVar[_Call | None] = ContextVar("hub call", default=None)


class _TooLong(Exception):
    """An answer that doesn't end in time."""


class _SessionClosed(Exception):
    """Another thread closed the session that the Hub's client shares, as it does on an error."""


class _Elsewhere(Exception):
    """An answer that leads to another host."""


class HubClient:
    """Makes calls to one endpoint; safe to share between threads."""

    def __init__(
        self,
        endpoint: str | None = None,
        *,
        token_endpoints: frozenset[str] = frozenset({PUBLIC_HUB}),
        offline: bool = False,
        patience: Patience | None = None,
        throttle: Throttle | None = None,
    ) -> None:
        """Speak to `endpoint`, the client's own (HF_ENDPOINT or the public Hub) if not given.

        The token that the Hub's client keeps goes to `token_endpoints` alone.

        Raises:
            BadName: the endpoint is no address.
        """
        self.endpoint = (endpoint or constants.ENDPOINT).rstrip("/")
        self.host = _host(self.endpoint)
        self.sends_token = self.endpoint in {known.rstrip("/") for known in token_endpoints}
        self._offline = offline
        self._patience = patience or Patience()
        self._throttle = throttle or Throttle()

    @property
    def offline(self) -> bool:
        """Whether the network is switched off, here or for the Hub's client altogether."""
        return self._offline or constants.is_offline_mode()

    def call(
        self,
        repo: str,
        ask: Callable[[HfApi], T],
        cancel: Cancel = NEVER,
        notify: Notify = ignore,
    ) -> T:
        """Return what `ask` gets from the Hub's client about `repo`.

        `ask` makes one request, in a thread of its own. A busy or troubled Hub is waited for
        and asked again, with each wait announced to `notify`, in the caller's thread.

        Raises:
            HubError: one of the tree above.
            Cancelled: within a tenth of a second of `cancel`, whatever the network does.
        """
        check_repo(repo)
        if self.offline:
            raise self._offline_now(repo)
        for attempt in range(1, self._patience.tries + 1):
            _pause(self._throttle.wait_s(), "own limit", cancel, notify)
            try:
                return self._once(repo, ask, cancel)
            except (TooManyRequests, HubTrouble, Dropped) as problem:
                wait_s = self._wait_s(problem, attempt)
                if attempt == self._patience.tries or wait_s > self._patience.longest_wait_s:
                    raise
                _pause(wait_s, _reason(problem), cancel, notify)
        raise AssertionError("the last try returns or raises")

    def _once(self, repo: str, ask: Callable[[HfApi], T], cancel: Cancel) -> T:
        call = _Call(self.endpoint, self._patience, self._throttle)
        try:
            return _answer_of(lambda: self._asked(call, ask), cancel, self._patience.answer_s)
        except HubError:
            raise
        except _TooLong as problem:
            raise self._endless() from problem
        except _PROBLEMS as problem:
            raise self._told(problem, repo) from problem
        finally:
            call.abandoned.set()

    def _asked(self, call: _Call, ask: Callable[[HfApi], T]) -> T:
        """Make the call, in the thread made for it."""
        _CALL.set(call)
        # It is read at each call; otherwise the client asks the endpoint about agents once a day.
        constants.HF_HUB_DISABLE_TELEMETRY = True
        _hook_the_client()
        api = HfApi(
            endpoint=self.endpoint,
            token=None if self.sends_token else False,
            library_name="pythia-gui",
            library_version=__version__,
        )
        try:
            return ask(api)
        except RuntimeError as problem:
            if "client has been closed" in str(problem):
                raise _SessionClosed from problem
            raise

    def _wait_s(self, problem: HubError, attempt: int) -> float:
        told = _asked_wait_s(problem.__cause__)
        if told is not None:
            return told
        backoff_s: float = self._patience.first_wait_s * 2.0 ** (attempt - 1)
        return min(backoff_s, self._patience.longest_backoff_s)

    # -- what to say -----------------------------------------------------------------------

    def _told(self, problem: Exception, repo: str) -> HubError:
        """Return the error of the tree above that `problem` is."""
        for kind, tell in (
            (OfflineModeIsEnabled, self._offline_meanwhile),
            (GatedRepoError, self._gated),
            (DisabledRepoError, self._disabled),
            (RevisionNotFoundError, self._no_revision),
            (RemoteEntryNotFoundError, self._no_file),
            (HfHubHTTPError, self._status),
            (httpx2.TransportError, self._transport),
            (OIDCError, self._no_token),
            (_Elsewhere, self._elsewhere),
            (_SessionClosed, self._dropped),
        ):
            if isinstance(problem, kind):
                return tell(problem, repo)
        return OddAnswer(f"what {self.host} says about {repo} can't be understood; try again later")

    def _offline_meanwhile(self, _problem: Exception, repo: str) -> HubError:
        return self._offline_now(repo)

    def _offline_now(self, repo: str) -> Offline:
        return Offline(f"the network is switched off, so {self.host} was not asked about {repo}")

    def _gated(self, _problem: Exception, repo: str) -> HubError:
        return Gated(
            f"{repo} is gated: accept its terms on {self.endpoint}/{repo}, then log in with "
            "`hf auth login`"
        )

    def _disabled(self, _problem: Exception, repo: str) -> HubError:
        return Disabled(f"{self.host} has disabled {repo}; pick another model")

    def _no_revision(self, _problem: Exception, repo: str) -> HubError:
        return NoRevision(f"{repo} no longer has this revision; list its branches again")

    def _no_file(self, _problem: Exception, repo: str) -> HubError:
        return NoFile(f"{repo} doesn't have this file in this revision; list its files again")

    def _no_token(self, _problem: Exception, repo: str) -> HubError:
        return TokenRefused(
            f"the token for {repo} could not be obtained; log in again with `hf auth login`"
        )

    def _elsewhere(self, _problem: Exception, repo: str) -> HubError:
        return OddAnswer(
            f"{self.host} answers about {repo} with another host's address, which is not asked; "
            "check the endpoint"
        )

    def _transport(self, problem: Exception, _repo: str) -> HubError:
        if isinstance(problem, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.ProxyError):
            return Unreachable(
                f"{self.host} can't be reached; check the connection, or go on offline with what "
                "is on this machine"
            )
        if isinstance(problem, httpx2.TimeoutException):
            return self._stalled()
        return self._dropped(problem, _repo)

    def _dropped(self, _problem: Exception, _repo: str) -> HubError:
        return Dropped(f"{self.host} cut the connection off before its answer was whole; try again")

    def _stalled(self) -> Stalled:
        return Stalled(
            f"{self.host} took the question and said nothing for {self._patience.silence_s:.0f} s; "
            "try again, or go on offline with what is on this machine"
        )

    def _endless(self) -> Stalled:
        return Stalled(
            f"{self.host} did not finish its answer in {self._patience.answer_s:.0f} s; "
            "try again, or go on offline with what is on this machine"
        )

    def _status(self, problem: Exception, repo: str) -> HubError:
        assert isinstance(problem, HfHubHTTPError)
        status = problem.response.status_code
        if status == 401 and "authorization" in problem.response.request.headers:
            return self._token_refused(repo)
        if status == 401 and not (self.sends_token or isinstance(problem, RepositoryNotFoundError)):
            return self._token_wanted(repo)
        if status in (401, 404, 410):
            return self._no_repository(repo)
        if status == 429:
            return self._too_many(problem)
        return self._other_status(status, repo)

    def _other_status(self, status: int, repo: str) -> HubError:
        if status == 408 or status >= 500:
            return HubTrouble(f"{self.host} has trouble ({status}); try again later")
        if status == 403:
            return Refused(f"{self.host} refuses {repo} to this account; ask its owner for access")
        return OddAnswer(f"{self.host} answers {status} about {repo}, which has no meaning here")

    def _no_repository(self, repo: str) -> HubError:
        way_out = (
            "check the name; if it is private, log in with `hf auth login`"
            if self.endpoint == PUBLIC_HUB
            else "check the name and the endpoint"
        )
        return NoRepository(f"there is no {repo} on {self.host}, or it is private; {way_out}")

    def _token_refused(self, repo: str) -> HubError:
        return TokenRefused(
            f"{self.host} refuses the token; log in again with `hf auth login`, or log out to "
            f"ask for {repo} without one"
        )

    def _token_wanted(self, repo: str) -> HubError:
        return TokenWanted(
            f"{self.host} wants a token for {repo}, and this endpoint gets none; allow it in the "
            "settings if you trust it"
        )

    def _too_many(self, problem: HfHubHTTPError) -> HubError:
        wait_s = _asked_wait_s(problem)
        when = "in a while" if wait_s is None else f"in {math.ceil(wait_s):,} s"
        return TooManyRequests(f"{self.host} has had too many requests from here; go on {when}")


# What a call may raise on bad input from the network: beyond errors of HTTP, whatever the client's
# reading of JSON of another shape runs into.
_PROBLEMS = (
    httpx2.HTTPError,
    httpx2.InvalidURL,
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RecursionError,
    OIDCError,
    _Elsewhere,
    _SessionClosed,
)


def check_repo(repo: str) -> None:
    """Refuse what can't be the name of a repository, and so be part of a URL or a path.

    Raises:
        BadName: it can't.
    """
    try:
        validate_repo_id(repo)
    except HFValidationError as problem:
        raise BadName(f"{repo} is not a repository's name; write owner/name") from problem


def _host(endpoint: str) -> str:
    """Return the host and port of an endpoint, without what else an address may hold."""
    try:
        parts = urlsplit(endpoint)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        parts, port = urlsplit(""), ""
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadName(f"{endpoint} is not an endpoint; write https:// and a host")
    return f"{parts.hostname}{port}"


def _origin(url: httpx2.URL) -> tuple[str, str, int]:
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme, 0)


def _hook_the_client() -> None:
    """Let the session that the Hub's client shares, and all that follow it, heed our calls."""
    with _HOOKS_LOCK:
        if _before not in get_session().event_hooks["request"]:
            set_client_factory(_hooked_session)


def _hooked_session() -> httpx2.Client:
    session = default_client_factory()
    hooks = session.event_hooks
    session.event_hooks = {
        "request": [*hooks["request"], _before],
        "response": [*hooks["response"], _after],
    }
    return session


def _before(request: httpx2.Request) -> None:
    call = _CALL.get()
    if call is None:
        return
    if call.abandoned.is_set():
        raise Cancelled
    if _origin(request.url) != _origin(httpx2.URL(call.endpoint)):
        raise _Elsewhere
    silence = call.patience.silence_s
    request.extensions["timeout"] = {
        "connect": call.patience.connect_s,
        "pool": call.patience.connect_s,
        "read": silence,
        "write": silence,
    }
    call.throttle.count()


def _after(response: httpx2.Response) -> None:
    call = _CALL.get()
    if call is not None:
        call.throttle.hear(response.headers)


def _answer_of(work: Callable[[], T], cancel: Cancel, limit_s: float) -> T:
    """Return what `work` returns, or raise what it raises.

    It runs in a thread that is left alone once nobody waits for it: neither a look-up of a host's
    name nor a read can be interrupted. Its time limits end it, and its answer goes nowhere.

    Raises:
        Cancelled: `cancel` was set first.
        _TooLong: `limit_s` was over first.
    """
    answers: queue.SimpleQueue[tuple[T, None] | tuple[None, BaseException]] = queue.SimpleQueue()

    def run() -> None:
        try:
            answers.put((work(), None))
        except BaseException as problem:  # noqa: BLE001 - it is raised in the thread that waits
            answers.put((None, problem))

    if cancel.is_set():
        raise Cancelled
    threading.Thread(target=run, name="hub call", daemon=True).start()
    end = time.monotonic() + limit_s
    while not cancel.is_set():
        try:
            answer, problem = answers.get(timeout=POLL_S)
        except queue.Empty:
            if time.monotonic() > end:
                raise _TooLong from None
            continue
        if problem is not None:
            raise problem
        return answer  # type: ignore[return-value]  # the pair says which of the two it is
    raise Cancelled


def _pause(
    seconds: float,
    reason: Literal["own limit", "rate limit", "hub trouble", "dropped"],
    cancel: Cancel,
    notify: Notify,
) -> None:
    """Wait, saying each second how long still."""
    end = time.monotonic() + seconds
    told = None
    while (left := end - time.monotonic()) > 0:
        if cancel.is_set():
            raise Cancelled
        if (whole := math.ceil(left)) != told:
            notify(Waiting(reason, whole))
            told = whole
        time.sleep(min(POLL_S, left))


def _reason(problem: HubError) -> Literal["rate limit", "hub trouble", "dropped"]:
    if isinstance(problem, TooManyRequests):
        return "rate limit"
    return "hub trouble" if isinstance(problem, HubTrouble) else "dropped"


def _asked_wait_s(problem: BaseException | None) -> float | None:
    """Return how long the Hub asked to wait, or None.

    Its own RateLimit header says it to the second; Retry-After gives seconds or a date (RFC 9110).
    """
    if not isinstance(problem, HfHubHTTPError):
        return None
    headers = problem.response.headers
    told = parse_ratelimit_headers(headers)
    if told is not None and told.remaining <= 0 and problem.response.status_code == 429:
        return float(told.reset_in_seconds)
    text = headers.get("Retry-After", "").strip()
    if text.isdecimal() and len(text) < 9:
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
