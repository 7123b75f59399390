"""The ``benchmark`` fixture: call a function a few times; timing is the business of whoever runs this."""

import pytest


@pytest.fixture
def benchmark():
    def repeat(function, *args, rounds=5):
        for _ in range(rounds):
            result = function(*args)
        return result

    return repeat
