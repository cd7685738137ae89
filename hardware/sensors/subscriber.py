"""A listener on one topic of a broker: connects by itself, again and again, and says how it is.

What a broker kept from before is left there: the last word of a sensor that has long been
silent would count as heard at each new connection.
"""

import itertools
import os
from collections.abc import Callable
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from common.telemetry.mqtt_client import UplinkSettings, load_secrets, make_client

ONE_AFTER_THE_OTHER = itertools.count(1)
NEW_ONLY = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)
REFUSED = 0x80


def subscribed(
    name: str,
    settings: UplinkSettings,
    topic: str,
    away: Callable[[str], None],
    came: Callable[[MQTTMessage], None],
    retry_s: int,
) -> Client:
    """A client that hears `topic`, its thread started.

    `away` is told why nothing can come, and "" once the broker has granted the topic. Both are
    called from the client's thread. Raises ConfigError for files that cannot be used.
    """
    # An id of its own for each: two listeners must not push each other out.
    client = make_client(
        f"{name}-{os.getpid()}-{next(ONE_AFTER_THE_OTHER)}", settings, reconnects=True
    )
    client.reconnect_delay_set(1, retry_s)
    load_secrets(client, settings)

    def connected(client: Client, _user: Any, _flags: Any, reason: Any, _p: Any) -> None:
        if reason.is_failure:
            away(f"the broker refuses us: {reason}")
        else:
            client.subscribe(topic, options=NEW_ONLY)

    def granted(_client: Client, _user: Any, _mid: int, codes: list[Any], _p: Any) -> None:
        refused = next((code for code in codes if code.value >= REFUSED), None)
        away(f"the broker refuses to let us hear {topic}: {refused}" if refused else "")

    def message(_client: Client, _user: Any, message: MQTTMessage) -> None:
        if not message.retain:  # not every broker heeds NEW_ONLY
            came(message)

    client.on_connect, client.on_subscribe, client.on_message = connected, granted, message
    client.on_connect_fail = lambda *_: away("the broker does not answer")
    client.on_disconnect = lambda *_: away("the connection is lost")
    client.connect_async(
        settings.host, settings.port, settings.keepalive_s, properties=_session()
    )
    client.loop_start()
    return client


def left(client: Client) -> None:
    """Leave the broker; what was to be called is let go of, and the sockets with it."""
    client.disconnect()
    client.loop_stop()
    client.on_connect = client.on_subscribe = client.on_message = None
    client.on_connect_fail = client.on_disconnect = None


def _session() -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.ReceiveMaximum = 100
    return properties
