"""The servers that the tests of this folder talk to are what they are taken for."""

import pytest

from tests.support.elasticsearch import LocalServer, Server
from tests.support.elasticsearch_release import RELEASES

pytestmark = [pytest.mark.elasticsearch]


def test_each_release_answers_with_its_version(each_elasticsearch: Server, request: pytest.FixtureRequest) -> None:
    if not isinstance(each_elasticsearch, LocalServer):
        pytest.skip("ELASTICSEARCH_URL names a server of any version")
    major = request.node.callspec.params["each_elasticsearch"]
    found = each_elasticsearch.call("GET", "/")["version"]["number"]
    assert found == RELEASES[major].version
