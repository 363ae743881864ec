"""The administrator's kubeconfig as a control plane prints it: OpenSSL encrypts it for real."""

import base64

import pytest

from components.kubeadm.kubeconfig import decrypted, read_command
from tests.support.program import encrypted

ADMIN = "apiVersion: v1\nusers:\n- user: {client-key-data: QURNSU4tS0VZ}\n" * 50
PASSWORD = "3c" * 32


def test_what_is_printed_is_the_kubeconfig_and_shows_nothing_of_it():
    """pulumi-command 1.2.1 puts all of the standard output into the error of a command that failed."""
    printed = encrypted(PASSWORD, ADMIN)
    assert decrypted(PASSWORD, printed) == ADMIN
    clear = printed.encode() + base64.b64decode(printed)
    assert b"QURNSU4" not in clear
    assert b"apiVersion" not in clear
    assert encrypted(PASSWORD, ADMIN) != printed, "with a salt of its own"


def test_the_password_is_no_argument():
    assert PASSWORD not in read_command("1.36.3")
    assert "-pass stdin" in read_command("1.36.3")


@pytest.mark.parametrize("printed", ["", "no base64!", base64.b64encode(ADMIN.encode()).decode(), "U2FsdGVkX18="])
def test_what_was_not_encrypted_with_the_password_is_refused_without_being_repeated(printed):
    with pytest.raises(ValueError, match="was not encrypted with this password") as caught:
        decrypted(PASSWORD, printed)
    assert "QURNSU4" not in str(caught.value)


def test_another_password_does_not_open_it():
    with pytest.raises(ValueError, match="was not encrypted with this password"):
        decrypted("another", encrypted(PASSWORD, ADMIN))
