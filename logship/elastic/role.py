"""The rights that shipping takes, as requests for somebody who may give them.

https://www.elastic.co/docs/deploy-manage/users-roles/cluster-or-deployment-auth/elasticsearch-privileges
"""

from collections.abc import Sequence
from typing import Any

from logship.elastic.setup import Request

SHIPPING, SETTING_UP = "forewarn-logs", "forewarn-logs-setup"
_KEY_DAYS = "365d"


def shipping_role(streams: Sequence[str]) -> dict[str, Any]:
    """What every node needs: to write and to read these data streams, and to see which indices lie behind them."""
    return _role([], streams, ["auto_configure", "create_doc", "read", "view_index_metadata"])


def setup_role(streams: Sequence[str]) -> dict[str, Any]:
    """What ``forewarn logs setup`` needs, once."""
    return _role(["monitor", "manage_index_templates"], streams, ["auto_configure", "manage"])


def role_requests(streams: Sequence[str]) -> list[Request]:
    """Requests that make both roles, and a key for a node."""
    shipping = shipping_role(streams)
    key = {"name": SHIPPING, "expiration": _KEY_DAYS, "role_descriptors": {SHIPPING: shipping}}
    return [
        Request("PUT", f"/_security/role/{SETTING_UP}", setup_role(streams)),
        Request("PUT", f"/_security/role/{SHIPPING}", shipping),
        Request("POST", "/_security/api_key", key),
    ]


def _role(cluster: list[str], streams: Sequence[str], privileges: list[str]) -> dict[str, Any]:
    return {"cluster": cluster, "indices": [{"names": list(streams), "privileges": privileges}]}
