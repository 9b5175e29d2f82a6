from __future__ import annotations
import time
import pytest
from chain.ways import Ways
pytestmark = pytest.mark.servers
def test_it(every_way: Ways) -> None:
    for name, way in every_way.items():
        print(name, way.forwarder.address)
