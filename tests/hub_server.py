"""A Hub on 127.0.0.1 for tests: the real client's protocol, with faults on demand.

    with HubServer() as hub:
        hub.add("EleutherAI/pythia-70m", {"main": files, "step0": files})
        hub.break_("status", "*/tree/*", status=503, times=2)
        ...                                  # endpoint: hub.endpoint
        assert hub.weight_requests() == []

Files are bytes in memory; those that a .gitattributes of the Hub would keep in LFS have a SHA-256.
Routes: refs, revision info, tree (in pages), paths-info and whoami below /api, HEAD and GET of
/resolve with Range, and, where `cdn` is on, the redirect of LFS files to a second origin.
"""

import fnmatch
import hashlib
import json
import os
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from huggingface_hub import close_session, constants

LFS_SUFFIXES = (".safetensors", ".bin", ".pt", ".msgpack", ".h5")
BLOCK_BYTES = 64 << 10
NEVER = 10**9

_PROXIES = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}

Kind = Literal[
    "status",  # answers `status` with `headers`
    "stall",  # sends `after_bytes` of the body (the headers too, if there are any), then nothing
    "drop",  # resets the connection after `after_bytes` of the body
    "long length",  # promises one byte more than it sends
    "short length",  # promises half of what there is
    "corrupt",  # flips the last byte of the body
    "no range",  # ignores Range and answers 200 with everything
    "slow",  # `rate` bytes per second
    "garbage",  # a body that is no JSON
    "redirect",  # to `location`
    "replace",  # answers 200 with `body`
]
Files = Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came; `origin` is `hub` or `cdn`, `at` the time on a steady clock."""

    at: float
    origin: str
    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]

    @property
    def authorization(self) -> str | None:
        return self.headers.get("authorization")

    @property
    def range(self) -> str | None:
        return self.headers.get("range")


@dataclass(slots=True)
class Fault:
    """What goes wrong with the next `times` requests whose path fits `path`."""

    kind: Kind
    path: str
    times: int = NEVER
    method: str = "*"
    status: int = 503
    headers: Mapping[str, str] = field(default_factory=dict)
    after_bytes: int = 0
    rate: int = 0
    location: str = ""
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class File:
    """One file of a commit, with the hashes that the Hub gives."""

    path: str
    data: bytes

    @property
    def is_lfs(self) -> bool:
        return self.path.endswith(LFS_SUFFIXES)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def pointer(self) -> bytes:
        return (
            f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\n"
            f"size {len(self.data)}\n"
        ).encode()

    @property
    def oid(self) -> str:
        """The git blob's SHA-1: of the LFS pointer, or of the content."""
        data = self.pointer if self.is_lfs else self.data
        return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()

    @property
    def etag(self) -> str:
        return self.sha256 if self.is_lfs else self.oid

    def lfs(self, oid_name: str) -> dict[str, Any]:
        if not self.is_lfs:
            return {}
        size = {"size": len(self.data), "pointerSize": len(self.pointer)}
        return {"lfs": {oid_name: self.sha256} | size}


@dataclass(slots=True)
class Repo:
    """A repository: commits by branch and tag, files by commit."""

    name: str
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    commits: dict[str, dict[str, File]] = field(default_factory=dict)
    token: str | None = None
    gated: bool = False

    def commit(self, revision: str, files: Files) -> str:
        """Add a commit; equal files on two branches are two commits, as on the Hub."""
        made = {path: File(path, data) for path, data in sorted(files.items())}
        told = json.dumps([self.name, revision, {p: f.oid for p, f in made.items()}])
        commit = hashlib.sha1(told.encode()).hexdigest()
        self.commits[commit] = made
        return commit

    def resolve(self, revision: str) -> str | None:
        """Return the commit of a branch, a tag, a full ref or a commit."""
        for prefix, refs in (("refs/heads/", self.branches), ("refs/tags/", self.tags)):
            name = revision.removeprefix(prefix)
            if name in refs:
                return refs[name]
        return revision if revision in self.commits else None


class HubServer:
    """The server.

    Attributes:
        requests: what came, in order.
        bytes_sent: bytes of bodies that went out, by path.
        headers: what every answer has besides its own headers.
        page_size: how many entries of a tree come in one page.
        cdn: whether LFS files are redirected to the second origin.
    """

    def __init__(self, *, cdn: bool = False) -> None:
        self.repos: dict[str, Repo] = {}
        self.requests: list[Request] = []
        self.bytes_sent: Counter[str] = Counter()
        self.page_size = 1_000
        self.headers: dict[str, str] = {}
        self.cdn = cdn
        self.closing = threading.Event()
        self._released = threading.Event()
        self._faults: list[Fault] = []
        self._connections: set[socket.socket] = set()
        self._lock = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._servers = {name: self._listen(name) for name in ("hub", "cdn")}

    def _listen(self, origin: str) -> ThreadingHTTPServer:
        server = _Server(("127.0.0.1", 0), _Handler)
        server.hub, server.origin = self, origin
        thread = threading.Thread(target=server.serve_forever, args=(0.005,), name=f"test-{origin}")
        self._threads.append(thread)
        thread.start()
        return server

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop at once: stalled and kept-alive connections are cut."""
        self.closing.set()
        self._released.set()
        for server in self._servers.values():
            server.shutdown()
        self.cut()
        for server in self._servers.values():
            server.server_close()
        for thread in self._threads:
            thread.join()

    def cut(self) -> None:
        """Cut every open connection."""
        with self._lock:
            open_now = list(self._connections)
        for connection in open_now:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def address(self, origin: str = "hub") -> str:
        return f"http://127.0.0.1:{self._servers[origin].server_address[1]}"

    @property
    def endpoint(self) -> str:
        return self.address("hub")

    # -- what it holds ---------------------------------------------------------------------

    def add(
        self,
        name: str,
        branches: Mapping[str, Files],
        *,
        tags: Mapping[str, Files] | None = None,
        token: str | None = None,
        gated: bool = False,
    ) -> Repo:
        """Add a repository; with `token` it is private, and `gated` refuses even that."""
        repo = Repo(name, token=token, gated=gated)
        repo.branches = {branch: repo.commit(branch, files) for branch, files in branches.items()}
        repo.tags = {tag: repo.commit(tag, files) for tag, files in (tags or {}).items()}
        self.repos[name] = repo
        return repo

    def blob(self, sha256: str) -> File | None:
        for repo in self.repos.values():
            for files in repo.commits.values():
                for file in files.values():
                    if file.is_lfs and file.sha256 == sha256:
                        return file
        return None

    # -- what goes wrong -------------------------------------------------------------------

    def break_(self, kind: Kind, path: str = "*", **how: Any) -> Fault:
        """Let requests whose path fits the glob `path` go wrong; see `Fault`."""
        fault = Fault(kind, path, **how)
        with self._lock:
            self._faults.append(fault)
        return fault

    def mend(self) -> None:
        """Let everything work again; what stalls now is cut."""
        with self._lock:
            self._faults.clear()
        self._released.set()
        self._released = threading.Event()

    def fault_for(self, method: str, path: str) -> Fault | None:
        with self._lock:
            for fault in self._faults:
                fits = fnmatch.fnmatchcase(path, fault.path)
                if fault.times > 0 and fits and fnmatch.fnmatchcase(method, fault.method):
                    fault.times -= 1
                    return fault
        return None

    def hold(self) -> None:
        """Wait, as a server that has gone away, until mended or closed."""
        self._released.wait()

    # -- what came -------------------------------------------------------------------------

    def note(self, request: Request) -> None:
        with self._lock:
            self.requests.append(request)
            self._lock.notify_all()

    def await_request(self, timeout_s: float = 5) -> None:
        """Return once a request has come; raise TimeoutError if none does."""
        with self._lock:
            if not self._lock.wait_for(lambda: self.requests, timeout_s):
                raise TimeoutError

    def sent(self, path: str, count: int) -> None:
        with self._lock:
            self.bytes_sent[path] += count

    def count(self, path: str = "*", method: str = "*") -> int:
        """Return how many requests fitted the globs."""
        with self._lock:
            return sum(
                fnmatch.fnmatchcase(request.path, path)
                and fnmatch.fnmatchcase(request.method, method)
                for request in self.requests
            )

    def weight_requests(self) -> list[str]:
        """Return the paths of all requests for a file's content or headers."""
        with self._lock:
            return [r.path for r in self.requests if "/resolve/" in r.path or "/blob/" in r.path]

    @contextmanager
    def connection(self, connection: socket.socket) -> Iterator[None]:
        with self._lock:
            self._connections.add(connection)
        try:
            yield
        finally:
            with self._lock:
                self._connections.discard(connection)


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # joined by server_close, so that no thread outlives its test
    request_queue_size = 64
    hub: HubServer
    origin: str

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


def allow_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the Hub's client out, without proxies and tokens."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    proxies = [name for name in os.environ if name.upper() in _PROXIES]
    for name in proxies:
        monkeypatch.delenv(name)
    if proxies:  # the client's session read them when it was made
        close_session()


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: dict[str, str]
    body: bytes = b""


def _json(value: object, **headers: str) -> _Answer:
    return _Answer(200, {"Content-Type": "application/json"} | headers, json.dumps(value).encode())


def _error(status: int, code: str, message: str, **headers: str) -> _Answer:
    told = {"X-Error-Code": code, "X-Error-Message": message, "Content-Type": "application/json"}
    return _Answer(status, told | headers, json.dumps({"error": message}).encode())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body go out apart: 40 ms each otherwise
    server: _Server
    connection: socket.socket

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Tests read `requests` instead."""

    def handle(self) -> None:
        with self.server.hub.connection(self.connection), suppress(OSError):
            super().handle()

    def do_GET(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        hub, parts = self.server.hub, urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.body = self.rfile.read(int(headers.get("content-length", 0)))
        path, query = parts.path, parse_qs(parts.query)
        hub.note(Request(time.monotonic(), self.server.origin, self.command, path, query, headers))
        fault = hub.fault_for(self.command, path)
        if fault is not None and fault.kind == "status":
            self._send(_Answer(fault.status, dict(fault.headers), fault.body), path, None)
        elif fault is not None and fault.kind == "redirect":
            self._send(_Answer(307, {"Location": fault.location}), path, None)
        else:
            self._send(self._answer(path, query, headers, fault), path, fault)

    # -- answers ---------------------------------------------------------------------------

    def _answer(
        self,
        path: str,
        query: dict[str, list[str]],
        headers: Mapping[str, str],
        fault: Fault | None,
    ) -> _Answer:
        made_up = {"garbage": b'{"branches": [', "replace": fault.body if fault else b""}
        if fault is not None and fault.kind in made_up:
            return _Answer(200, {"Content-Type": "application/json"}, made_up[fault.kind])
        if self.server.origin == "cdn":
            return self._cdn(path, headers, fault)
        if path == "/api/whoami-v2":
            return self._whoami(headers)
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(/.*)?", path):
            return self._api(found[1], found[2] or "", query, headers)
        if found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            return self._resolve(found[1], unquote(found[2]), unquote(found[3]), headers, fault)
        return _error(404, "", "Not found")

    def _whoami(self, headers: Mapping[str, str]) -> _Answer:
        tokens = {repo.token for repo in self.server.hub.repos.values()} - {None}
        if headers.get("authorization", "").removeprefix("Bearer ") in tokens:
            return _json({"name": "reader", "type": "user"})
        return _error(401, "", "Invalid credentials in Authorization header")

    def _allowed(self, name: str, headers: Mapping[str, str]) -> Repo | _Answer:
        """Return the repository, or what the Hub says to those who may not see it."""
        given = headers.get("authorization", "").removeprefix("Bearer ")
        tokens = {repo.token for repo in self.server.hub.repos.values()} - {None}
        if given and given not in tokens:
            return _error(401, "", "Invalid credentials in Authorization header")
        repo = self.server.hub.repos.get(name)
        if repo is None or (repo.token is not None and given != repo.token and not repo.gated):
            if not given:  # the Hub doesn't tell strangers what is there
                return _error(401, "RepoNotFound", "Invalid username or password.")
            return _error(404, "RepoNotFound", "Repository not found")
        if repo.gated:
            return _error(403, "GatedRepo", f"Access to model {name} is restricted")
        return repo

    def _api(
        self, name: str, rest: str, query: dict[str, list[str]], headers: Mapping[str, str]
    ) -> _Answer:
        repo = self._allowed(name, headers)
        if isinstance(repo, _Answer):
            return repo
        if rest == "/refs":
            return _json(_refs(repo))
        kind, _, what = (rest or "/revision/main").removeprefix("/").partition("/")
        revision, _, folder = what.partition("/")
        if kind == "revision":
            return self._revision(repo, unquote(revision), query)
        if kind == "tree":
            return self._tree(repo, unquote(revision), unquote(folder), query)
        if kind == "paths-info":
            return self._paths_info(repo, unquote(revision))
        return _error(404, "", "Not found")

    def _revision(self, repo: Repo, revision: str, query: dict[str, list[str]]) -> _Answer:
        commit = repo.resolve(revision)
        if commit is None:
            return _error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        whole = query.get("blobs", ["false"])[0].lower() == "true"
        siblings = [
            {"rfilename": file.path}
            | ({"size": len(file.data), "blobId": file.oid} | file.lfs("sha256") if whole else {})
            for file in repo.commits[commit].values()
        ]
        return _json({"id": repo.name, "sha": commit, "private": False, "siblings": siblings})

    def _tree(self, repo: Repo, revision: str, folder: str, query: dict[str, list[str]]) -> _Answer:
        commit = repo.resolve(revision)
        if commit is None:
            return _error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        recursive = query.get("recursive", ["false"])[0] == "true"
        entries = _entries(repo.commits[commit], folder, recursive=recursive)
        if folder and not entries:
            told = {"X-Repo-Commit": commit}
            return _error(404, "EntryNotFound", f"{folder} does not exist on {revision}", **told)
        start = int(query.get("cursor", ["0"])[0])
        end = start + self.server.hub.page_size
        more = {}
        if end < len(entries):
            path = urlsplit(self.path).path
            url = f"{self.server.hub.endpoint}{path}?recursive={str(recursive).lower()}"
            more = {"Link": f'<{url}&cursor={end}>; rel="next"'}
        return _json(entries[start:end], **more)

    def _paths_info(self, repo: Repo, revision: str) -> _Answer:
        commit = repo.resolve(revision)
        if commit is None:
            return _error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        wanted = parse_qs(self.body.decode()).get("paths", [])
        return _json([_entry(f) for p, f in repo.commits[commit].items() if p in wanted])

    def _resolve(
        self,
        name: str,
        revision: str,
        path: str,
        headers: Mapping[str, str],
        fault: Fault | None,
    ) -> _Answer:
        repo = self._allowed(name, headers)
        if isinstance(repo, _Answer):
            return repo
        commit = repo.resolve(revision)
        if commit is None:
            return _error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        told = {"X-Repo-Commit": commit}
        file = repo.commits[commit].get(path)
        if file is None:
            return _error(404, "EntryNotFound", "Entry not found", **told)
        told["ETag"] = f'"{file.etag}"'
        if not file.is_lfs:
            return _ranged(file, headers, told, fault)
        told |= {"X-Linked-Etag": f'"{file.sha256}"', "X-Linked-Size": str(len(file.data))}
        if self.server.hub.cdn:
            where = f"{self.server.hub.address('cdn')}/blob/{file.sha256}"
            return _Answer(302, told | {"Location": where})
        return _ranged(file, headers, told, fault)

    def _cdn(self, path: str, headers: Mapping[str, str], fault: Fault | None) -> _Answer:
        file = self.server.hub.blob(path.removeprefix("/blob/"))
        if file is None:
            return _error(404, "", "Not found")
        return _ranged(file, headers, {"ETag": f'"{file.sha256}"'}, fault)

    # -- sending ---------------------------------------------------------------------------

    def _send(self, answer: _Answer, path: str, fault: Fault | None) -> None:
        kind = fault.kind if fault is not None else None
        if kind == "stall" and fault is not None and fault.after_bytes == 0:
            self.server.hub.hold()
            self.close_connection = True
            return
        body = answer.body
        if kind == "corrupt" and body:
            body = body[:-1] + bytes([body[-1] ^ 1])
        length = len(body)
        length += {"long length": 1, "short length": -(length // 2)}.get(kind or "", 0)
        self._send_head(answer, length)
        if self.command != "HEAD":
            self._send_body(body, path, fault)
        if kind in ("drop", "stall", "long length", "short length"):
            self.close_connection = True

    def _send_head(self, answer: _Answer, length: int) -> None:
        self.send_response(answer.status)
        for name, value in (self.server.hub.headers | answer.headers).items():
            self.send_header(name, value)
        if "Content-Length" not in answer.headers:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def _send_body(self, body: bytes, path: str, fault: Fault | None) -> None:
        kind = fault.kind if fault is not None else None
        if fault is not None and kind in ("drop", "stall"):
            self._write(body[: fault.after_bytes], path)
            if kind == "stall":
                self.server.hub.hold()
            else:
                self._reset()
        elif fault is not None and kind == "slow":
            self._write_slowly(body, path, fault.rate)
        else:
            self._write(body, path)

    def _write(self, data: bytes, path: str) -> None:
        for start in range(0, len(data), BLOCK_BYTES):
            block = data[start : start + BLOCK_BYTES]
            self.wfile.write(block)
            self.server.hub.sent(path, len(block))

    def _write_slowly(self, data: bytes, path: str, rate: int) -> None:
        block = max(1, rate // 20)
        for start in range(0, len(data), block):
            self._write(data[start : start + block], path)
            if self.server.hub.closing.wait(block / rate):
                return

    def _reset(self) -> None:
        """End the connection as a broken line does: with a reset, not with a farewell."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


def _refs(repo: Repo) -> dict[str, Any]:
    def told(kind: str, refs: Mapping[str, str]) -> list[dict[str, str]]:
        return [
            {"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": commit}
            for name, commit in refs.items()
        ]

    return {"branches": told("heads", repo.branches), "tags": told("tags", repo.tags)} | {
        "converts": [],
        "pullRequests": [],
    }


def _entry(file: File) -> dict[str, Any]:
    return {
        "type": "file",
        "oid": file.oid,
        "size": len(file.data),
        "path": file.path,
    } | file.lfs("oid")


def _entries(files: Mapping[str, File], folder: str, *, recursive: bool) -> list[dict[str, Any]]:
    """Return the files and folders below `folder`, as the tree route lists them."""
    prefix = f"{folder}/" if folder else ""
    inside = {path: file for path, file in files.items() if path.startswith(prefix)}
    folders = {
        path[: match.start()]
        for path in inside
        for match in re.finditer("/", path)
        if match.start() >= len(prefix)
    }
    listed = [
        {"type": "directory", "oid": hashlib.sha1(name.encode()).hexdigest(), "size": 0}
        | {"path": name}
        for name in sorted(folders)
        if recursive or "/" not in name.removeprefix(prefix)
    ]
    listed += [
        _entry(file)
        for path, file in inside.items()
        if recursive or "/" not in path.removeprefix(prefix)
    ]
    return listed


def _ranged(
    file: File, headers: Mapping[str, str], told: Mapping[str, str], fault: Fault | None
) -> _Answer:
    """Return the file or, where a range is asked for and not ignored, that part of it."""
    size = len(file.data)
    common = {"Content-Type": "application/octet-stream"} | dict(told)
    if fault is not None and fault.kind == "no range":
        return _Answer(200, common, file.data)
    common["Accept-Ranges"] = "bytes"
    asked = re.fullmatch(r"bytes=(\d+)-(\d*)", headers.get("range", ""))
    if asked is None:
        return _Answer(200, common, file.data)
    start, end = int(asked[1]), min(int(asked[2] or size - 1), size - 1)
    if start >= size:
        return _Answer(416, common | {"Content-Range": f"bytes */{size}"})
    part = {"Content-Range": f"bytes {start}-{end}/{size}"}
    return _Answer(206, common | part, file.data[start : end + 1])
