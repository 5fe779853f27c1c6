"""What is shipped for the machine: the polkit rule is run, the units are read."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from pathlib import Path
from typing import cast

import pytest
from PySide6.QtQml import QJSEngine, QJSValue

from kiosk.hardware.pcsc.service import RESTART_COMMAND, RESTART_LIMIT_S
from kiosk.settings import Settings, parse_settings
from kiosk.sync.keys_seal import CREDENTIAL

DEPLOY = Path(__file__).parents[2] / "deploy"
_POLKIT = """
var rules = [];
var polkit = {
    Result: {YES: "yes", NO: "no", NOT_HANDLED: "not handled"},
    addRule: function (rule) { rules.push(rule); }
};
function decide(id, user, details) {
    var action = {id: id, lookup: function (name) { return details[name]; }};
    return rules.map(function (rule) { return rule(action, {user: user}); }).join();
}
"""
UNITS = "org.freedesktop.systemd1.manage-units"
RESTART = '{unit: "pcscd.service", verb: "restart"}'


@pytest.mark.parametrize(
    ("action", "user", "details", "answer"),
    [
        ("org.debian.pcsc-lite.access_pcsc", "kiosk", "{}", "yes"),
        ("org.debian.pcsc-lite.access_card", "kiosk", "{}", "yes"),
        ("org.debian.pcsc-lite.access_card", "someone", "{}", "not handled"),
        (UNITS, "kiosk", RESTART, "yes"),
        (UNITS, "someone", RESTART, "not handled"),
        (UNITS, "kiosk", '{unit: "ssh.service", verb: "restart"}', "not handled"),
        (UNITS, "kiosk", '{unit: "pcscd.service", verb: "stop"}', "not handled"),
        (UNITS, "kiosk", "{}", "not handled"),
        ("org.freedesktop.login1.power-off", "kiosk", "{}", "not handled"),
    ],
)
@pytest.mark.usefixtures("qapp")
def test_the_rule_gives_the_account_cards_and_one_restart(action: str, user: str, details: str, answer: str) -> None:
    engine = QJSEngine()
    for script in (_POLKIT, (DEPLOY / "polkit" / "50-kiosk.rules").read_text(encoding="utf-8")):
        assert not evaluate(engine, script).isError()
    assert evaluate(engine, f'decide("{action}", "{user}", {details})').toString() == answer


def evaluate(engine: QJSEngine, script: str) -> QJSValue:
    return cast(QJSValue, engine.evaluate(script))  # the stub always promises a tuple


def unit(name: str) -> dict[str, list[str]]:
    """`Section.Key` to its values, as systemd.syntax has them: a key may come several times."""
    section, found = "", defaultdict(list)
    for line in (DEPLOY / "systemd" / name).read_text(encoding="utf-8").splitlines():
        if not line or line[0] in "#;":
            continue
        if line[0] == "[":
            section = line.strip("[]")
            continue
        key, equals, value = line.partition("=")
        assert equals
        assert key == key.strip()
        found[f"{section}.{key}"].append(value)
    return found


def test_the_unit_runs_as_its_own_account_and_comes_back() -> None:
    found = unit("kiosk.service")
    for key, value in {
        "Service.Type": "notify",
        "Service.WatchdogSec": "30",
        "Service.User": "kiosk",
        "Service.Restart": "always",
        "Service.StateDirectory": "kiosk",
        "Service.StateDirectoryMode": "0700",
        "Service.UMask": "0077",
        "Service.LimitCORE": "0",
        "Service.MemorySwapMax": "0",
        "Service.NoNewPrivileges": "yes",
        "Service.CapabilityBoundingSet": "",
        "Service.ProtectSystem": "strict",
        "Service.ProtectHome": "yes",
        "Service.PrivateTmp": "yes",
        "Service.RestrictAddressFamilies": "AF_UNIX AF_INET AF_INET6",
    }.items():
        assert found[key] == [value], key
    assert found["Service.ExecStart"][0].endswith("/kiosk run")
    assert int(found["Unit.StartLimitBurst"][0]) * int(found["Service.RestartSec"][0]) < 300


def test_nothing_in_the_unit_makes_a_list_of_devices() -> None:
    found = unit("kiosk.service")
    assert not {"Service.ProtectClock", "Service.DeviceAllow", "Service.PrivateDevices"} & set(found)


def test_a_service_that_does_not_end_is_killed_before_the_kiosk_gives_up_on_it() -> None:
    assert RESTART_COMMAND[-1] == "pcscd.service"
    (stop_s,) = unit("pcscd.service.d/kiosk.conf")["Service.TimeoutStopSec"]
    assert float(stop_s) < RESTART_LIMIT_S / 2


def test_every_file_is_named_in_the_guide() -> None:
    guide = (DEPLOY / "README.md").read_text(encoding="utf-8")
    files = {str(path.relative_to(DEPLOY)) for path in DEPLOY.rglob("*") if path.is_file()} - {"README.md"}
    assert files
    assert {name for name in files if f"`{name}`" not in guide} == set()


def test_the_settings_of_the_guide_are_taken() -> None:
    _, _, rest = (DEPLOY / "README.md").read_text(encoding="utf-8").partition("```toml\n")
    settings = parse_settings(tomllib.loads(rest.partition("```")[0]))
    assert isinstance(settings, Settings), settings
    assert settings.kiosk.state_dir == Path("/var/lib/kiosk")
    assert settings.staff.authority_file is not None


def test_the_service_is_handed_the_sealing_key_that_the_kiosk_looks_for() -> None:
    """By name only: a machine that has none starts all the same."""
    assert unit("kiosk.service")["Service.LoadCredentialEncrypted"] == [CREDENTIAL]
