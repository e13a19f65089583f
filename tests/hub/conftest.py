import pytest

from pythia_gui.hub.client import HubClient, Patience
from pythia_gui.hub.listing import HubListing
from tests.hub_server import HubServer, allow_network

QUICK = Patience(connect_s=2, silence_s=5, tries=3, first_wait_s=0.02)


@pytest.fixture
def hub(monkeypatch):
    """A Hub on 127.0.0.1, and the client free to ask it."""
    allow_network(monkeypatch)
    with HubServer() as server:
        yield server


@pytest.fixture
def listing(hub, tmp_path):
    """Lists from the Hub on 127.0.0.1, and remembers in an empty folder."""
    return HubListing(HubClient(hub.endpoint, patience=QUICK), tmp_path / "remembered")
