"""What the host lends to a container stays with it."""

from __future__ import annotations

from pathlib import Path

from jupyter_dockerize.image.copy.hosts import Lent, left_here


def test_a_driver_by_its_name_and_a_mounted_file_by_its_place(tmp_path: Path) -> None:
    (tmp_path / "libx.so.1.2").touch()
    (tmp_path / "libx.so.1").symlink_to("libx.so.1.2")
    lent = Lent(frozenset({f"{tmp_path}/libx.so.1.2", "/usr/lib"}))
    assert lent("/usr/lib/x86_64-linux-gnu/libcuda.so.1")
    assert lent("/usr/local/nvidia/lib64/libnvidia-ml.so.1")
    assert lent(f"{tmp_path}/libx.so.1")
    assert not lent("/usr/lib/libz.so.1")  # below a volume, as /usr may be


def test_each_is_named_with_what_to_do() -> None:
    driver, mounted = left_here(["/usr/lib/libcuda.so.1", "/etc/ssl/openssl.cnf", "/usr/lib/libcuda.so.1"])
    assert (driver.code, "--gpus all" in driver.fix) == ("library-driver", True)
    assert (mounted.code, mounted.severity) == ("mounted-files", "warning")
    assert "/etc/ssl/openssl.cnf" in mounted.message
    assert left_here([]) == []
