"""Whatever happens in whatever order: no illegal path, no lost alarm, the same after a restart.

The model is E1 once more in its plainest form: what the alarm is beneath, what hides it in
which order, and when a shelving ends by a clock that nobody sets.
"""

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from common.alarms import orders
from common.alarms.alarm import Why
from common.alarms.definition import AlarmDefinition
from common.alarms.shelving import CLOCK_SET_S, Shelving
from common.users import User
from tests.common.alarms.rig import Rig

MIA = User("mia", "operator")
RE_ALARM_S = 30.0
TEXTS = "Motor is hot", "Too much load.", "The winding burns.", "Stop the motor."
DEFINITIONS = (
    AlarmDefinition("plain", 2, *TEXTS, 60.0),
    AlarmDefinition("latched", 1, *TEXTS, 60.0, latched=True),
    AlarmDefinition("nagging", 3, *TEXTS, 60.0, re_alarm_s=RE_ALARM_S),
)
IDS = st.sampled_from([definition.id for definition in DEFINITIONS])
SECONDS = st.sampled_from([1, 10, 29, 30, 100])  # whole: equal on every clock
G, H, I = "SHELVED", "SUPPRESSED_BY_DESIGN", "OUT_OF_SERVICE"  # noqa: E741 - E1's letters


@dataclass
class Model:
    """One alarm as E1 has it; no delays."""

    latched: bool = False
    nagging: bool = False
    life: str = "NORM"
    hidden: list = field(default_factory=list)
    shelf_end: float = 0.0
    shelf_wall: float = 0.0
    """The same as it was asked for: a reboot takes a little off."""
    one_shot: bool = False
    acked_at: float = 0.0
    owed: bool = False
    """It was annunciated, and since then nobody acknowledged it or hid it by hand."""

    @property
    def state(self):
        return self.hidden[-1] if self.hidden else self.life

    def process(self, active):
        if active and self.life not in ("UNACK", "ACKED"):
            owed = self.life in ("RTNUN", "LATCHED_UNACK")
            self.life = "ACKED" if self.hidden and not owed else "UNACK"
        elif not active and self.life in ("UNACK", "ACKED"):
            gone = {"UNACK": "RTNUN", "ACKED": "NORM"}
            kept = {"UNACK": "LATCHED_UNACK", "ACKED": "LATCHED_ACK"}
            self.life = (kept if self.latched else gone)[self.life]
            if self.one_shot:
                self.show(G)
        self.look()

    def time(self, now):
        if G in self.hidden and now >= self.shelf_end:
            self.show(G)
        if self.nagging and self.state == "ACKED" and now - self.acked_at >= RE_ALARM_S:
            self.life = "UNACK"
        self.look()

    def acknowledge(self, now):
        noted = {"UNACK": "ACKED", "RTNUN": "NORM", "LATCHED_UNACK": "LATCHED_ACK"}
        if self.state in noted:
            self.life, self.acked_at, self.owed = noted[self.state], now, False

    def hide(self, how):
        if how in self.hidden:
            return
        if how != H:
            noted = {"UNACK": "ACKED", "RTNUN": "NORM", "LATCHED_UNACK": "LATCHED_ACK"}
            self.life, self.owed = noted.get(self.life, self.life), False
        self.hidden.append(how)

    def show(self, how):
        if how not in self.hidden:
            return
        self.hidden.remove(how)
        self.one_shot = self.one_shot and how != G
        if not self.hidden:
            out = {"ACKED": "UNACK", "LATCHED_ACK": "LATCHED_UNACK"}
            self.life = out.get(self.life, self.life)
        self.look()

    def look(self):
        self.owed = self.owed or self.state == "UNACK"


class AlarmLife(RuleBasedStateMachine):
    """Three alarms, two of whose orders may come at once, and restarts at any point."""

    def __init__(self):
        super().__init__()
        self.rig = Rig(*DEFINITIONS)
        self.now = 0.0
        self.active = dict.fromkeys(self.rig.definitions, False)
        self.models = {d.id: Model(d.latched, nagging=bool(d.re_alarm_s)) for d in DEFINITIONS}

    def order(self, alarm_id, order):
        return self.rig.board.command(alarm_id, order)

    def tick(self):
        self.rig.board.tick()
        for model in self.models.values():
            model.time(self.now)

    @rule(alarm_id=IDS, active=st.booleans())
    def process(self, alarm_id, active):
        self.active[alarm_id] = active
        self.rig.board.set(alarm_id, active)
        self.models[alarm_id].process(active)

    @rule(seconds=SECONDS)
    def wait(self, seconds):
        self.now += seconds
        self.rig.clock.sleep(seconds)
        self.tick()

    @rule(seconds=SECONDS, reboot=st.booleans())
    def restart(self, seconds, reboot):
        before = self.rig.states()
        self.now += seconds
        self.rig.restart(down_s=seconds, reboot=reboot)
        for model in self.models.values() if reboot else ():
            model.shelf_end = min(model.shelf_end, model.shelf_wall - CLOCK_SET_S)
        assert self.rig.states() == before, "a restart by itself changes nothing"
        self.tick()

    @rule(alarm_id=IDS)
    def acknowledge(self, alarm_id):
        self.order(alarm_id, orders.acknowledge(MIA))
        self.models[alarm_id].acknowledge(self.now)

    @rule(alarm_id=IDS)
    def acknowledge_what_has_changed(self, alarm_id):
        seen = self.rig.alarm(alarm_id).revision - 1
        outcome = self.rig.board.command(alarm_id, orders.acknowledge(MIA), seen)
        assert outcome.why is Why.CHANGED

    @rule(alarm_id=IDS)
    def reset(self, alarm_id):
        self.order(alarm_id, orders.reset(MIA))
        if self.models[alarm_id].state == "LATCHED_ACK":
            self.models[alarm_id].life = "NORM"

    @rule(alarm_id=IDS, seconds=SECONDS, one_shot=st.booleans())
    def shelve(self, alarm_id, seconds, one_shot):
        model = self.models[alarm_id]
        self.order(alarm_id, orders.shelve(MIA, Shelving(seconds, "it flickers", one_shot)))
        if G not in model.hidden:
            model.shelf_end = model.shelf_wall = self.now + seconds
            model.one_shot = one_shot
        model.hide(G)

    @rule(alarm_id=IDS)
    def unshelve(self, alarm_id):
        self.order(alarm_id, orders.unshelve(MIA))
        self.models[alarm_id].show(G)

    @rule(alarm_id=IDS)
    def suppress(self, alarm_id):
        self.order(alarm_id, orders.suppress("the machine is off"))
        self.models[alarm_id].hide(H)

    @rule(alarm_id=IDS)
    def unsuppress(self, alarm_id):
        self.order(alarm_id, orders.unsuppress())
        self.models[alarm_id].show(H)

    @rule(alarm_id=IDS)
    def remove_from_service(self, alarm_id):
        self.order(alarm_id, orders.remove_from_service(MIA, "new sensor", "P-17"))
        self.models[alarm_id].hide(I)

    @rule(alarm_id=IDS)
    def return_to_service(self, alarm_id):
        self.order(alarm_id, orders.return_to_service(MIA))
        self.models[alarm_id].show(I)

    @invariant()
    def the_board_is_as_e1_has_it(self):
        for alarm_id, model in self.models.items():
            assert self.rig.alarm(alarm_id).state.name == model.state
            assert self.rig.alarm(alarm_id).state.life == model.life, "beneath what hides it"

    @invariant()
    def no_alarm_is_lost(self):
        for alarm_id, model in self.models.items():
            state = self.rig.alarm(alarm_id).state
            assert state.hidden or not self.active[alarm_id] or state.name in ("UNACK", "ACKED")
            assert not (model.owed and state.name == "NORM"), "gone before anybody took note"

    @invariant()
    def every_alarm_is_in_one_list(self):
        shown = [a.definition.id for a in self.rig.board.summary()]
        hidden = [a.definition.id for a in self.rig.board.hidden()]
        normal = [i for i, model in self.models.items() if model.state == "NORM"]
        assert sorted([*shown, *hidden, *normal]) == sorted(self.models)

    @invariant()
    def the_history_has_no_gap(self):
        last = {}
        for change in self.rig.keeper.changes:
            alarm = change.alarm
            state, revision = last.get(alarm.definition.id, ("NORM", 0))
            assert (change.was, alarm.revision) == (state, revision + 1)
            last[alarm.definition.id] = alarm.state.name, alarm.revision


AlarmLife.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestAlarmLife = AlarmLife.TestCase
