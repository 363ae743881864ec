"""A node's settings for updates: apt's configuration and the times of its timers. Pure."""

from collections.abc import Iterable

from components.nodes.os_updates.model import OsUpdates, UpdateSettings

SECURITY = (
    # Debian's own 50unattended-upgrades (2.9.1), without the line of the whole release.
    "origin=Debian,codename=${distro_codename},label=Debian-Security",
    "origin=Debian,codename=${distro_codename}-security,label=Debian-Security",
    # Ubuntu's, in the same form; its ESM needs a subscription, and is no source without one.
    "origin=Ubuntu,archive=${distro_codename}-security",
    "origin=UbuntuESMApps,archive=${distro_codename}-apps-security",
    "origin=UbuntuESM,archive=${distro_codename}-infra-security",
)
PINNED = ("containerd", "containerd.io", "cri-tools", "kubeadm", "kubectl", "kubelet", "kubernetes-cni")
"""Packages that only an upgrade of a cluster changes, of whatever kind it is. `pulumi up` holds those of its own."""
_HOURS_BEFORE = 1
_DAY = 24 * 60


def settings(updates: OsUpdates, pinned: Iterable[str] = ()) -> UpdateSettings:
    """For every node. `pinned`: packages that unattended-upgrades must not touch, besides PINNED."""
    origins = tuple(dict.fromkeys((*SECURITY, *updates.origins)))
    names = sorted({*PINNED, *pinned})
    apt = "\n".join(
        [
            'APT::Periodic::Enable "1";',
            'APT::Periodic::Update-Package-Lists "1";',
            'APT::Periodic::Unattended-Upgrade "1";',
            "// apt adds up the lists of all its files.",
            "#clear Unattended-Upgrade::Allowed-Origins;",
            "#clear Unattended-Upgrade::Origins-Pattern;",
            *(f'Unattended-Upgrade::Origins-Pattern:: "{origin}";' for origin in origins),
            *(f'Unattended-Upgrade::Package-Blacklist:: "^{_escaped(name)}$";' for name in names),
            "// vds reboot does that, one node at a time.",
            'Unattended-Upgrade::Automatic-Reboot "false";',
        ]
    )
    window = updates.window
    begin = 60 * int(window.from_[:2]) + int(window.from_[3:])
    return UpdateSettings(
        apt,
        origins,
        download=_daily(begin - 2 * 60 * _HOURS_BEFORE, window.timezone),
        install=_daily(begin - 60 * _HOURS_BEFORE, window.timezone),
        timezone=window.timezone,
    )


def _escaped(name: str) -> str:
    """For unattended-upgrades' regular expressions."""
    return name.replace(".", r"\\.").replace("+", r"\\+")


def _daily(minute: int, timezone: str) -> str:
    hours, minutes = divmod(minute % _DAY, 60)
    return f"*-*-* {hours:02}:{minutes:02}:00 {timezone}"
