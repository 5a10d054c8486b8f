"""The pytest plugin: one instance, and a fresh world for each test."""

import os
import uuid

import pytest

from . import Acrite


@pytest.fixture(scope="session")
def acrite_instance():
    """One instance for all tests, with the environment set for Azure's clients."""
    instance = Acrite.start()
    before = dict(os.environ)
    os.environ.update(instance.environment())
    base = f"pytest-{uuid.uuid4().hex[:12]}"
    instance.save(base)
    instance.base = base
    yield instance
    instance.load(instance.base)
    instance.forget(base)
    os.environ.clear()
    os.environ.update(before)
    instance.stop()


@pytest.fixture
def acrite(acrite_instance):
    """A world as it was at the start: nothing of another test, no faults."""
    acrite_instance.load(acrite_instance.base)
    yield acrite_instance
    acrite_instance.clear_faults()
