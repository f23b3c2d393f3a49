"""A child for the supervisor's tests: does what its settings say, then tells how it was asked to end."""

import os
import time

from forewarn.base.child import Channel, serve


def main(parent: Channel) -> None:
    parent.send({"kind": "hello", "pid": os.getpid(), "settings": parent.settings})
    behaviour = parent.settings.get("behaviour")
    if behaviour == "fail":
        os._exit(3)
    if behaviour == "finish":
        return
    if behaviour == "deaf":
        time.sleep(3600)  # what is stuck in a call neither looks at `stopping` nor returns
    print("a library's chatter")  # noqa: T201  it must not end up among the frames
    for frame in parent.frames():
        parent.send({"kind": "echo", "frame": frame})
    parent.send({"kind": "bye"})


if __name__ == "__main__":
    serve(main)
