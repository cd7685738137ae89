"""The gateway's own device: that it throttles itself is told, and watching goes on."""

from dataclasses import replace

HOT = {"throttled": True, "throttle_reasons": ["CPU core hot"], "temperature_c": 97.0}


def test_a_gateway_that_throttles_itself_is_told_and_watches_on(gateway):
    gateway.run(2, b1={})
    assert gateway.state("host_throttled") == "NORM"
    gateway.station.parts = replace(gateway.station.parts, host=lambda: HOT)
    gateway.run(8, b1={})
    assert gateway.state("host_throttled") == "UNACK"
    assert gateway.board.alarm("host_throttled").detail == "CPU core hot; 97 °C"
    assert gateway.tile("1")["signs"]["HR"]["age_s"] < 2
    gateway.station.parts = replace(gateway.station.parts, host=dict)
    gateway.run(35, b1={})
    assert gateway.state("host_throttled") == "RTNUN"
