"""The crate works as a dependency by path."""

import os
import shutil
from pathlib import Path

from packages import ROOT, run


def test_a_program_depends_on_the_crate_by_path(tmp_path: Path, url: str) -> None:
    (tmp_path / "src").mkdir()
    shutil.copy(ROOT / "examples" / "rust" / "sums.rs", tmp_path / "src" / "main.rs")
    shutil.copy(ROOT / "Cargo.lock", tmp_path)
    (tmp_path / "Cargo.toml").write_text(
        '[package]\nname = "program"\nversion = "1.0.0"\nedition = "2024"\n[workspace]\n[dependencies]\n'
        f'libswarm = {{ path = "{ROOT / "core"}" }}\ntokio = {{ version = "1", features = ["rt", "macros", "sync"] }}\n'
    )
    target = os.environ.get("CARGO_TARGET_DIR", str(ROOT / "target" / "install"))
    environment = {**os.environ, "CARGO_TARGET_DIR": target, "SWARM_REDIS_URL": url}
    printed = run(["cargo", "run", "--quiet"], tmp_path, environment)
    assert printed == "the sum is 500500\n"
