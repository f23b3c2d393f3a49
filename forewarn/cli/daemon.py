"""What commands ask of the running daemon: its API, at the address that the control socket tells."""

from typing import Any

from forewarn.base.errors import ForewarnError
from forewarn.datadir import DataDir


def ask_api(data: DataDir, path: str) -> Any:
    """The JSON answer of the daemon's API.

    Raises:
        ForewarnError: no daemon runs on the directory, or it does not answer.
    """
    import orjson
    import urllib3

    from forewarn.control import ControlClient

    with ControlClient(data.control) as daemon:
        url = daemon.ask("address")["url"]
    try:
        answer = urllib3.request("GET", f"{url}{path}", timeout=10.0, retries=False)
    except urllib3.exceptions.HTTPError as error:
        raise ForewarnError(f"{url} does not answer: {error}", hint="look at the daemon's log") from error
    body = orjson.loads(answer.data)
    if answer.status >= 400:
        raise ForewarnError(body["error"]["message"], hint=body["error"].get("hint"))
    return body
