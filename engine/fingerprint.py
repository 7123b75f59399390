"""What machine and interpreter measured: two numbers on one axis need the same fingerprint."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from pathlib import Path


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _cpu_model() -> str:
    for line in _read("/proc/cpuinfo").splitlines():
        if line.lower().startswith(("model name", "hardware")):
            return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown"


def _turbo() -> str:
    raw = _read("/sys/devices/system/cpu/intel_pstate/no_turbo")
    return {"0": "on", "1": "off"}.get(raw, "unknown")


def fingerprint() -> dict[str, str]:
    """Facts as words; what cannot be read is ``unknown``. The boot id is stored as a digest only."""
    governor = _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    boot = _read("/proc/sys/kernel/random/boot_id")
    return {
        "cpu": _cpu_model(),
        "cores": str(os.cpu_count() or "unknown"),
        "kernel": platform.release(),
        "system": platform.system(),
        "governor": governor or "unknown",
        "turbo": _turbo(),
        "engine_python": f"{platform.python_implementation()} {sys.version.split()[0]}",
        "boot": hashlib.sha256(boot.encode()).hexdigest()[:12] if boot else "unknown",
    }
