"""What a command begins beside itself, by real sockets."""

import socket
import threading

import pytest

from apps.processes import check_free, simulated
from common.errors import ConfigError


def test_a_simulated_device_never_leaves_its_port_to_a_stranger():
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        with (
            pytest.raises(ConfigError, match=f"port {port}, .* is taken .* simulation.enabled"),
            simulated("hardware.virtual_cmms", ["--port", str(port)], port),
        ):
            pytest.fail("the station would have talked to whoever is there")


def test_who_is_about_to_leave_a_port_is_waited_for():
    stranger = socket.create_server(("127.0.0.1", 0))
    port = stranger.getsockname()[1]
    leaves = threading.Timer(0.3, stranger.close)
    leaves.start()
    check_free(port, "the simulated device", "end it", patience_s=30.0)
    leaves.join()
