#!/usr/bin/env python3
"""The platforms that packages are built for. Run as a program, it prints the Rust target of each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    #: As Node's packages and the archives are named: `linux-x64-gnu`.
    name: str
    #: Of Rust.
    triple: str
    #: The target of cargo-zigbuild: the triple with the oldest glibc that the result needs.
    zig: str
    #: The platform tags of the wheel, the present name first; auditwheel checks them against what the module needs.
    wheel: tuple[str, ...]
    #: `os`, `cpu` and `libc` of the Node package.
    node: tuple[str, str, str]
    #: Whether `make package` builds it by default.
    by_default: bool
    #: How a program for this target is started on a Linux x86-64 machine.
    runner: tuple[str, ...] = ()

    @property
    def musl(self) -> bool:
        return self.node[2] == "musl"


TARGETS = {
    target.name: target
    for target in (
        Target(
            name="linux-x64-gnu",
            triple="x86_64-unknown-linux-gnu",
            zig="x86_64-unknown-linux-gnu.2.17",
            wheel=("manylinux_2_17_x86_64", "manylinux2014_x86_64"),
            node=("linux", "x64", "glibc"),
            by_default=True,
        ),
        Target(
            name="linux-arm64-gnu",
            triple="aarch64-unknown-linux-gnu",
            zig="aarch64-unknown-linux-gnu.2.17",
            wheel=("manylinux_2_17_aarch64", "manylinux2014_aarch64"),
            node=("linux", "arm64", "glibc"),
            by_default=True,
            runner=("qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu"),
        ),
        Target(
            name="linux-x64-musl",
            triple="x86_64-unknown-linux-musl",
            zig="x86_64-unknown-linux-musl",
            wheel=("musllinux_1_2_x86_64",),
            node=("linux", "x64", "musl"),
            by_default=False,
        ),
        Target(
            name="linux-arm64-musl",
            triple="aarch64-unknown-linux-musl",
            zig="aarch64-unknown-linux-musl",
            wheel=("musllinux_1_2_aarch64",),
            node=("linux", "arm64", "musl"),
            by_default=False,
            runner=("qemu-aarch64-static",),
        ),
    )
}

if __name__ == "__main__":
    for each in TARGETS.values():
        print(each.triple)
