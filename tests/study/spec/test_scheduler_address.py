"""The address of a scheduler: as people give it, as Dask takes it."""

import pytest

from study.errors import InputError
from study.spec.run_start import read_scheduler, split_address


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("host", "tcp://host:8786"),
        ("10.0.0.1:9000", "tcp://10.0.0.1:9000"),
        ("tls://gpu-1.lab.example", "tls://gpu-1.lab.example:8786"),
        ("tls://[fe80::1]:8786", "tls://[fe80::1]:8786"),
    ],
)
def test_protocol_and_port_may_be_left_out(given: str, read: str):
    assert read_scheduler(given) == read


@pytest.mark.parametrize(
    "wrong", ["", "http://host:1", "host:0", "host:65536", "tcp://", "a b", "host:x", "host:1/x"]
)
def test_what_is_no_address_is_refused_with_one_that_is(wrong: str):
    with pytest.raises(InputError, match=r"^--scheduler: .* is not an address; give one such as tls://host"):
        read_scheduler(wrong)


def test_host_and_port_are_told_apart():
    assert split_address("tls://[fe80::1]:8786") == ("fe80::1", 8786)
    assert split_address("tcp://host:1") == ("host", 1)


def test_an_address_of_the_sixth_version_has_brackets_that_its_host_has_not():
    assert split_address("tls://[fe80::1]:8786") == ("fe80::1", 8786)
    assert split_address("tcp://XX:1") == ("XX", 1)
    assert read_scheduler("host:65535") == "tcp://host:65535"
    assert read_scheduler("host:1") == "tcp://host:1"
