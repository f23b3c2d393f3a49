"""What tests of plans share."""

import numpy as np
import pytest

from tests.support.known_node import KnownNode


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def node() -> KnownNode:
    return KnownNode()
