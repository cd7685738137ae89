"""Device health from fake sysfs and procfs trees: what is not told is None, never 0."""

import resource

import pytest

from hardware.host import HostMonitor


class FakeHost:
    """Writes a tree of small files, and reads it as a device."""

    def __init__(self, root):
        self.root = root

    def write(self, files):
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return self

    def thermal(self, **zones):
        for number, (name, value) in enumerate(zones.items()):
            folder = f"sys/class/thermal/thermal_zone{number}"
            self.write({f"{folder}/type": name.replace("_", "-") + "\n"})
            self.write({f"{folder}/temp": f"{value}\n"})
        return self

    def cooling(self, **devices):
        for number, (name, state) in enumerate(devices.items()):
            folder = f"sys/class/thermal/cooling_device{number}"
            self.write({f"{folder}/type": name.replace("_", "-")})
            self.write({f"{folder}/cur_state": str(state)})
        return self

    def hwmon(self, number, name, **files):
        folder = f"sys/class/hwmon/hwmon{number}"
        return self.write({f"{folder}/name": name + "\n"}).write(
            {f"{folder}/{key}": str(value) for key, value in files.items()}
        )

    def monitor(self):
        return HostMonitor(self.root, disk=self.root)

    def read(self):
        return self.monitor().read()


@pytest.fixture
def host(tmp_path):
    return FakeHost(tmp_path)


def test_a_device_that_tells_nothing_gives_none_and_not_zero(tmp_path):
    health = HostMonitor(tmp_path, disk=tmp_path / "not there").read()
    told = {k: v for k, v in vars(health).items() if v is not None}
    assert told == {"temperatures_c": {}, "throttle_reasons": ()}


def test_this_machine_can_be_read():
    health = HostMonitor().read()
    assert health.memory_available_mb <= health.memory_total_mb
    assert health.disk_free_mb <= health.disk_total_mb


def test_a_process_that_may_open_no_more_files_is_told_nothing_and_goes_on():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        health = HostMonitor().read()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (health.temperature_c, health.load_1m, health.cpus) == (None, None, None)


class TestTemperature:
    def test_the_hottest_zone_counts_and_engines_that_are_off_do_not(self, host):
        health = host.thermal(
            cpu_thermal=51_500, tj_thermal=62_250, cv0_thermal=-256_000
        ).read()
        assert health.temperature_c == 62.25
        assert health.temperatures_c == {"cpu-thermal": 51.5, "tj-thermal": 62.25}

    def test_frost_is_a_temperature(self, host):
        assert host.thermal(cpu_thermal=-5_000).read().temperature_c == -5.0

    def test_a_zone_that_cannot_be_read_is_left_out(self, host):
        assert host.thermal(cv0_thermal="").read().temperature_c is None

    def test_two_zones_of_one_type_are_both_kept(self, host):
        host.thermal(acpitz=27_000)
        host.write({"sys/class/thermal/thermal_zone7/type": "acpitz"})
        host.write({"sys/class/thermal/thermal_zone7/temp": "31000"})
        assert host.read().temperatures_c == {"acpitz": 27.0, "acpitz thermal_zone7": 31.0}

    def test_the_sensor_in_an_x86_processor_is_found_by_name(self, host):
        host.hwmon(3, "coretemp", temp1_input=71_000).hwmon(4, "nvme", temp1_input=99_000)
        assert host.read().temperatures_c == {"coretemp temp1": 71.0}


class TestThrottling:
    def test_jetson_alerts_are_reasons_and_a_fan_is_not(self, host):
        host.cooling(pwm_fan=3, cpu_throttle_alert=0, gpu_throttle_alert=1, hot_surface_alert=1)
        health = host.read()
        assert health.throttled is True
        assert health.throttle_reasons == ("gpu-throttle-alert", "hot-surface-alert")
        assert health.frequency_capped is None

    def test_jetson_at_rest_is_not_throttled(self, host):
        health = host.cooling(cpu_throttle_alert=0, cpufreq_cpu0=2, devfreq_gpu=0).read()
        assert health.throttled is False
        assert health.frequency_capped is True

    def test_a_fan_alone_tells_nothing_about_throttling(self, host):
        assert host.cooling(pwm_fan=255).read().throttled is None

    @pytest.mark.parametrize(
        ("flags", "reasons"),
        [
            ("0", ()),
            ("50005", ("under-voltage", "throttled")),
            ("50000", ()),  # has happened since the start, does not happen now
        ],
    )
    def test_raspberry_pi_flags_of_now(self, host, flags, reasons):
        host.write({"sys/devices/platform/soc/soc:firmware/get_throttled": flags + "\n"})
        health = host.read()
        assert health.throttle_reasons == reasons
        assert health.throttled is bool(reasons)

    def test_raspberry_pi_without_firmware_flags(self, host):
        health = host.hwmon(1, "rpi_volt", in0_lcrit_alarm=1).read()
        assert health.throttle_reasons == ("under-voltage",)

    def test_x86_counters_tell_from_the_second_reading_on(self, host):
        counter = "sys/devices/system/cpu/cpu{}/thermal_throttle/core_throttle_count"
        host.write({counter.format(0): "5", counter.format(1): "7"})
        monitor = host.monitor()
        assert monitor.read().throttled is None, "5 and 7 may be from last summer"
        assert monitor.read().throttled is False
        host.write({counter.format(1): "8"})
        health = monitor.read()
        assert health.throttled is True
        assert health.throttle_reasons == ("CPU core hot",)
        assert health.cpus == 2

    def test_a_package_that_slows_down_counts_as_its_cores_do(self, host):
        counter = "sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count"
        host.write({counter: "3"})
        monitor = host.monitor()
        monitor.read()
        host.write({counter: "4"})
        assert monitor.read().throttled is True

    @pytest.mark.parametrize(("degrees", "hot"), [(84_800, False), (85_000, True)])
    def test_a_coral_card_tells_by_its_first_trip(self, host, degrees, hot):
        chip = "sys/class/apex/apex_0"
        host.write({f"{chip}/temp": str(degrees), f"{chip}/trip_point0_temp": "85000"})
        health = host.read()
        assert health.temperatures_c == {"Coral apex_0": degrees / 1000}
        assert health.throttled is hot
        assert health.throttle_reasons == ("Coral apex_0 hot",) * hot

    @pytest.mark.parametrize(
        "path",
        ["sys/class/drm/card0/gt/gt0/throttle_reason_{}",
         "sys/class/drm/card1/device/tile0/gt0/freq0/throttle/reason_{}"],
    )  # fmt: skip
    def test_an_intel_gpu_is_slowed_by_heat_and_limited_by_power(self, host, path):
        host.write({path.format("pl1"): "1", path.format("thermal"): "0"})
        assert host.read().throttled is False, "a power limit holds under any load"
        host.write({path.format("thermal"): "1"})
        health = host.read()
        assert (health.throttled, health.throttle_reasons) == (True, ("GPU thermal",))


class TestClocks:
    def test_the_cores_mean_clock_over_their_highest(self, host):
        for core, now in ((0, "600000"), (1, "1200000")):
            folder = f"sys/devices/system/cpu/cpu{core}/cpufreq"
            host.write({f"{folder}/scaling_cur_freq": now})
            host.write({f"{folder}/cpuinfo_max_freq": "2400000"})
        assert host.read().cpu_clock_share == 0.375

    @pytest.mark.parametrize(
        ("path", "text"),
        [("sys/class/devfreq/17000000.gpu/cur_freq", "918000000"),
         ("sys/class/drm/card0/gt/gt0/rps_act_freq_mhz", "918")],
    )  # fmt: skip
    def test_the_gpus_clock(self, host, path, text):
        assert host.write({path: text}).read().gpu_mhz == 918.0

    def test_a_jetsons_power_mode_by_name_else_by_number(self, host):
        host.write({"var/lib/nvpmodel/status": "pmode:0002 fmode:fanNull\n"})
        assert host.read().power_mode == "2"
        conf = "< POWER_MODEL ID=0 NAME=MAXN >\n< POWER_MODEL ID=2 NAME=MODE_15W >\n"
        host.write({"etc/nvpmodel.conf": conf})
        assert host.read().power_mode == "MODE_15W"


class TestPower:
    def test_the_board_input_is_the_whole(self, host):
        host.hwmon(
            5, "ina3221",
            in1_label="VDD_IN", in1_input=5000, curr1_input=2000,
            in2_label="VDD_CPU_GPU_CV", in2_input=5000, curr2_input=900,
            in7_label="sum of shunt voltages", in7_input=1, curr7_input=1,
        )  # fmt: skip
        assert host.read().power_w == pytest.approx(10.0)

    def test_else_the_rails_are_summed_without_unconnected_ones(self, host):
        host.hwmon(0, "ina3221", in1_label="VDD_GPU", in1_input=19_000, curr1_input=500)
        host.hwmon(
            1, "ina3221",
            in1_label="NC", in1_input=9_000, curr1_input=900,
            in2_label="VDD_CPU", in2_input=5000, curr2_input=1000,
        )  # fmt: skip
        assert host.read().power_w == pytest.approx(9.5 + 5.0)

    def test_over_current_is_counted_from_reading_to_reading(self, host):
        host.hwmon(2, "soctherm_oc", oc1_event_cnt=0, oc3_event_cnt=40)
        monitor = host.monitor()
        assert monitor.read().over_current_events is None
        host.hwmon(2, "soctherm_oc", oc3_event_cnt=43)
        assert monitor.read().over_current_events == 3
        host.hwmon(2, "soctherm_oc", oc3_event_cnt=0)
        assert monitor.read().over_current_events == 0


@pytest.mark.parametrize(
    "path", ["sys/class/devfreq/17000000.gpu/device/load", "sys/devices/platform/gpu.0/load"]
)
def test_gpu_load_is_per_mille(host, path):
    assert host.write({path: "425\n"}).read().gpu_load_percent == 42.5


def test_memory_load_and_disk(host):
    host.write({
        "proc/meminfo": "MemTotal: 8192 kB\nMemAvailable: 2048 kB\nHugePages_Total: 0\n",
        "proc/loadavg": "1.25 0.80 0.50 2/300 4242\n",
    })  # fmt: skip
    health = host.read()
    assert (health.memory_total_mb, health.memory_available_mb) == (8.0, 2.0)
    assert health.load_1m == 1.25
    assert 0 < health.disk_free_mb <= health.disk_total_mb
