"""The Hub of the tests is taken for one by the real client, and goes wrong as it is told to."""

import hashlib
import http.client
import threading
import time
from pathlib import Path

import pytest
from huggingface_hub import HfApi, get_hf_file_metadata, hf_hub_download, hf_hub_url
from huggingface_hub.errors import (
    GatedRepoError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tests.hub_server import HubServer, allow_network

REPO = "EleutherAI/pythia-70m"
WEIGHTS = bytes(range(256)) * 400
CONFIG = b'{"model_type": "gpt_neox"}'
FILES = {"config.json": CONFIG, "model.safetensors": WEIGHTS, "runs/log.txt": b"log"}
SHA256 = hashlib.sha256(WEIGHTS).hexdigest()
WEIGHTS_PATH = f"/{REPO}/resolve/step1/model.safetensors"


@pytest.fixture
def hub(monkeypatch):
    allow_network(monkeypatch)
    with HubServer() as server:
        server.add(REPO, {"main": FILES, "step1": FILES}, tags={"v1": FILES})
        yield server


@pytest.fixture
def api(hub):
    return HfApi(endpoint=hub.endpoint, token=False)


def get(hub, path=WEIGHTS_PATH, method="GET", origin="hub", **headers):
    """Make one plain request; return status, headers and body."""
    connection = http.client.HTTPConnection(hub.address(origin).removeprefix("http://"), timeout=10)
    try:
        connection.request(
            method, path, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


# -- the protocol ----------------------------------------------------------------------------


def test_branches_and_tags_are_listed_with_their_commits(hub, api):
    refs = api.list_repo_refs(REPO)
    assert {ref.name: ref.target_commit for ref in refs.branches} == hub.repos[REPO].branches
    assert {ref.name: ref.target_commit for ref in refs.tags} == hub.repos[REPO].tags
    assert len({ref.target_commit for ref in refs.branches}) == 2


@pytest.mark.parametrize("revision", ["step1", "refs/heads/step1", "v1", None])
def test_a_revision_gives_its_commit_and_files_with_their_hashes(hub, api, revision):
    info = api.model_info(REPO, revision=revision, files_metadata=True)
    name = (revision or "main").removeprefix("refs/heads/")
    assert info.sha == (hub.repos[REPO].branches | hub.repos[REPO].tags)[name]
    files = {file.rfilename: file for file in info.siblings}
    assert files.keys() == FILES.keys()
    assert files["model.safetensors"].lfs.sha256 == SHA256
    assert files["model.safetensors"].size == len(WEIGHTS)
    assert files["config.json"].lfs is None


def test_the_tree_by_commit_says_the_same_in_pages(hub, api):
    commit = hub.repos[REPO].branches["step1"]
    whole = list(api.list_repo_tree(REPO, revision=commit, recursive=True))
    asked = len(hub.requests)
    hub.page_size = 1
    paged = list(api.list_repo_tree(REPO, revision=commit, recursive=True))
    assert paged == whole
    assert len(hub.requests) - asked == len(whole) == 4
    assert {entry.path for entry in whole} == {*FILES, "runs"}
    by_path = {entry.path: entry for entry in whole}
    assert by_path["model.safetensors"].lfs.sha256 == SHA256
    git = hashlib.sha1(b"blob %d\0" % len(CONFIG) + CONFIG, usedforsecurity=False).hexdigest()
    assert by_path["config.json"].blob_id == git


def test_the_tree_of_a_folder_holds_what_is_in_it(api):
    assert [f.path for f in api.list_repo_tree(REPO, "runs")] == ["runs/log.txt"]
    assert {f.path for f in api.list_repo_tree(REPO)} == {*FILES, "runs"} - {"runs/log.txt"}
    with pytest.raises(RemoteEntryNotFoundError):
        list(api.list_repo_tree(REPO, "nowhere"))


def test_single_paths_are_described(api):
    (file,) = api.get_paths_info(REPO, ["model.safetensors"], revision="step1")
    assert file.lfs.sha256 == SHA256


@pytest.mark.parametrize("cdn", [False, True])
def test_the_real_client_downloads_what_was_put_there(hub, tmp_path, cdn):
    hub.cdn = cdn
    for name, data in FILES.items():
        where = {"endpoint": hub.endpoint, "cache_dir": tmp_path, "token": False}
        file = hf_hub_download(REPO, name, revision="step1", **where)
        assert Path(file).read_bytes() == data
    assert (tmp_path / "models--EleutherAI--pythia-70m" / "blobs" / SHA256).is_file()
    assert hub.count("/blob/*") == int(cdn)


def test_metadata_of_a_file_has_commit_hash_and_size(hub):
    url = hf_hub_url(REPO, "model.safetensors", revision="step1", endpoint=hub.endpoint)
    told = get_hf_file_metadata(url, token=False, endpoint=hub.endpoint)
    assert (told.etag, told.size) == (SHA256, len(WEIGHTS))
    assert told.commit_hash == hub.repos[REPO].branches["step1"]


def test_the_second_origin_never_sees_the_token(hub, tmp_path):
    hub.cdn = True
    hub.add("me/private", {"main": FILES}, token="hf_secret")
    where = {"endpoint": hub.endpoint, "cache_dir": tmp_path}
    hf_hub_download("me/private", "model.safetensors", token="hf_secret", **where)
    by_origin = {r.origin: r.authorization for r in hub.requests}
    assert by_origin == {"hub": "Bearer hf_secret", "cdn": None}


@pytest.mark.parametrize(
    ("asked", "status", "part", "told"),
    [
        ("bytes=100-", 206, WEIGHTS[100:], "bytes 100-102399/102400"),
        ("bytes=0-9", 206, WEIGHTS[:10], "bytes 0-9/102400"),
        ("bytes=102400-", 416, b"", "bytes */102400"),
        ("bytes=5-999999", 206, WEIGHTS[5:], "bytes 5-102399/102400"),
    ],
)
def test_a_range_gives_that_part(hub, asked, status, part, told):
    found, headers, body = get(hub, Range=asked)
    assert (found, headers["Content-Range"], body) == (status, told, part)
    assert hub.requests[-1].range == asked


def test_head_has_the_length_and_no_body(hub):
    status, headers, body = get(hub, method="HEAD")
    assert (status, body) == (200, b"")
    assert headers["Content-Length"] == str(len(WEIGHTS))
    assert headers["X-Linked-Etag"] == f'"{SHA256}"'


def test_what_may_not_be_seen_is_refused_as_the_hub_does(hub, api):
    hub.add("me/private", {"main": FILES}, token="hf_secret")
    hub.add("me/gated", {"main": FILES}, gated=True)
    with pytest.raises(RepositoryNotFoundError):
        api.list_repo_refs("me/private")
    with pytest.raises(RepositoryNotFoundError):
        api.list_repo_refs("me/nothing")
    with pytest.raises(GatedRepoError):
        api.model_info("me/gated")
    with pytest.raises(RevisionNotFoundError):
        api.model_info(REPO, revision="step7")
    known = HfApi(endpoint=hub.endpoint, token="hf_secret")
    assert known.whoami()["name"] == "reader"
    assert len(known.list_repo_refs("me/private").branches) == 1


# -- the faults ------------------------------------------------------------------------------


def test_a_fault_hits_what_it_names_as_often_as_it_says(hub):
    hub.break_("status", "*/resolve/*", method="HEAD", status=503, times=2)
    statuses = [get(hub, method=m)[0] for m in ("HEAD", "GET", "HEAD", "HEAD")]
    assert statuses == [503, 200, 503, 200]
    assert get(hub, f"/api/models/{REPO}/refs")[0] == 200


def test_mended_it_works_again(hub):
    hub.break_("status", status=429, headers={"Retry-After": "7"})
    status, headers, _ = get(hub)
    assert (status, headers["Retry-After"]) == (429, "7")
    hub.mend()
    assert get(hub)[0] == 200


@pytest.mark.parametrize("after_bytes", [0, 1000])
def test_a_drop_resets_the_line_after_so_many_bytes(hub, after_bytes):
    hub.break_("drop", "*/resolve/*", after_bytes=after_bytes)
    with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
        get(hub)
    assert hub.bytes_sent[WEIGHTS_PATH] == after_bytes


def test_a_promise_of_too_much_breaks_off_and_of_too_little_cuts_short(hub):
    hub.break_("long length", "*/resolve/*", times=1)
    with pytest.raises(http.client.IncompleteRead):
        get(hub)
    hub.break_("short length", "*/resolve/*")
    _, headers, body = get(hub)
    assert int(headers["Content-Length"]) == len(body) == len(WEIGHTS) // 2


def test_corruption_keeps_the_size_and_changes_the_hash(hub):
    hub.break_("corrupt", "*/resolve/*")
    _, headers, body = get(hub)
    assert len(body) == len(WEIGHTS)
    assert headers["X-Linked-Etag"] == f'"{SHA256}"'
    assert hashlib.sha256(body).hexdigest() != SHA256


def test_a_server_without_ranges_sends_everything(hub):
    hub.break_("no range", "*/resolve/*")
    status, headers, body = get(hub, Range="bytes=100-")
    assert (status, body) == (200, WEIGHTS)
    assert "Accept-Ranges" not in headers


def test_a_slow_server_keeps_its_rate(hub):
    hub.break_("slow", "*/resolve/*", rate=len(WEIGHTS) * 4)
    begun = time.monotonic()
    assert get(hub)[2] == WEIGHTS
    assert 0.2 < time.monotonic() - begun < 2


@pytest.fixture
def asking():
    """Start a request in a thread; return the thread and the list that its end goes to."""
    threads = []

    def start(hub):
        ends: list[object] = []

        def ask():
            try:
                ends.append(get(hub)[2])
            except (http.client.HTTPException, ConnectionError) as problem:
                ends.append(type(problem).__name__)

        threads.append(threading.Thread(target=ask))
        threads[-1].start()
        return threads[-1], ends

    yield start
    for thread in threads:
        thread.join()


@pytest.mark.parametrize(
    ("after_bytes", "end"), [(0, "RemoteDisconnected"), (500, "IncompleteRead")]
)
def test_a_stall_lasts_until_it_is_mended(hub, asking, after_bytes, end):
    hub.break_("stall", "*/resolve/*", after_bytes=after_bytes)
    thread, ends = asking(hub)
    thread.join(0.2)
    assert thread.is_alive()
    hub.mend()
    thread.join(5)
    assert ends == [end]


def test_closing_ends_a_stall_and_leaves_no_thread(monkeypatch, asking):
    allow_network(monkeypatch)
    before = set(threading.enumerate())
    with HubServer() as hub:
        hub.add(REPO, {"step1": FILES})
        hub.break_("stall")
        thread, ends = asking(hub)
        hub.await_request()
    thread.join(5)
    assert ends == ["RemoteDisconnected"]
    assert set(threading.enumerate()) <= before


def test_bytes_and_requests_are_counted(hub):
    get(hub)
    get(hub, Range="bytes=102300-")
    get(hub, method="HEAD")
    assert hub.bytes_sent[WEIGHTS_PATH] == len(WEIGHTS) + 100
    assert hub.count("*/resolve/*") == 3
    assert hub.count("*/resolve/*", "HEAD") == 1
    assert hub.weight_requests() == [WEIGHTS_PATH] * 3
