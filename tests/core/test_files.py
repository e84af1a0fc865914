"""Files are whole or absent; a write that fails is noticed, whoever does the writing."""

import os
import resource
import signal
from contextlib import contextmanager

import pytest

from neurodecode.core.errors import NeurodecodeError, WriteError
from neurodecode.core.files import PatientFile, check_writable, write_text, writing


@contextmanager
def limited(size):
    """Files may not grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_is_there_when_it_is_whole(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with writing(path) as temporary:
        temporary.write_text("one")
        assert not path.exists()
    assert path.read_text() == "one"

    def fail():
        with writing(path) as temporary:
            temporary.write_text("tw")
            raise RuntimeError("half")

    with pytest.raises(RuntimeError, match="half"):
        fail()
    assert path.read_text() == "one"
    assert list(path.parent.iterdir()) == [path]


def test_what_the_system_refuses_is_worded(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(WriteError, match=r"a\.txt could not be written: File exists"):
        write_text(tmp_path / "file" / "a.txt", "one")
    assert issubclass(WriteError, OSError) and issubclass(WriteError, NeurodecodeError)
    with pytest.raises(WriteError, match="Not a directory"):
        check_writable(tmp_path / "file" / "folder")
    check_writable(tmp_path / "folder")
    assert list((tmp_path / "folder").iterdir()) == []


def test_a_failed_write_is_held_back_and_raised_at_the_end(tmp_path):
    file = PatientFile(tmp_path / "a")
    with limited(1000):
        assert file.write(b"x" * 900) == 900
        file.check()
        assert file.write(b"x" * 900) == 900, "HDF5 is not to know"
        assert file.tell() == 1800
        assert file.write(b"x") == 1
    for raises in (file.check, file.__exit__):
        with pytest.raises(OSError, match="too large"):
            raises()
    file = PatientFile(tmp_path / "b")
    with limited(10):
        assert file.truncate(11) == 11
    with pytest.raises(OSError, match="too large"):
        file.__exit__()


def test_ctrl_c_is_held_back_for_as_long(tmp_path):
    file = PatientFile(tmp_path / "a")
    file.__enter__()
    os.kill(os.getpid(), signal.SIGINT)
    assert file.write(b"x") == 1
    for raises in (file.check, file.__exit__):
        with pytest.raises(KeyboardInterrupt):
            raises()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_of_ones_own_is_left_alone(tmp_path):
    heard = []
    signal.signal(signal.SIGINT, lambda *_: heard.append(1))
    try:
        with PatientFile(tmp_path / "a") as file:
            os.kill(os.getpid(), signal.SIGINT)
            file.write(b"x")
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    assert heard == [1]
