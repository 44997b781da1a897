"""A bundle on a machine without the product: Go's sumdb, and 124 lines of Python with pymerkle.

The Python is that of a new virtual environment, which holds pymerkle and what that needs, and nothing else; the Go program is
made by the Go wheel from its own sources.
"""

from __future__ import annotations

import shutil
import subprocess
import venv
from pathlib import Path
from typing import TYPE_CHECKING

import cachetools
import pymerkle
import pytest

from tests.audit.bundle.forgeries import FORGERIES, relist

if TYPE_CHECKING:
    from tests.audit.bundle.conftest import World

SCRIPT = Path(__file__).parents[3] / "deploy" / "verify" / "verify_bundle.py"
SIGNATURES = {"the_checkpoint_is_signed_by_somebody_else", "the_log_has_another_past"}
"""What only the Go program looks at."""
KEYS_AND_POLICIES = {
    "a_key_is_of_another_entry", "a_key_is_missing", "a_key_more_is_there", "a_body_is_said_to_be_shredded",
    "a_policy_file_is_altered", "a_policy_file_is_put_in", "the_question_says_two_things",
}  # fmt: skip
"""What neither looks at: whether keys open bodies, which is plain to see, the policy's files, and how JSON is spelled."""
STRAYS = {"a_file_is_put_in", "a_proof_of_no_checkpoint_is_put_in", "a_file_more_lies_beside_the_range"}
"""What only the Go program looks at: whether there is a place for every file."""


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of a virtual environment that holds pymerkle and what it needs, and nothing else."""
    home = tmp_path_factory.mktemp("elsewhere") / "venv"
    venv.create(home, symlinks=True)
    python = home / "bin" / "python"
    asked = [str(python), "-I", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = Path(subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip())
    for package in (pymerkle, cachetools):
        shutil.copytree(Path(str(package.__file__)).parent, packages / package.__name__)
    return python


def by_go(program: Path, bundle: Path, vkey: str) -> subprocess.CompletedProcess[str]:
    """Verify with the Go program."""
    return subprocess.run([program, "bundle", bundle, "-key", vkey], capture_output=True, text=True, check=False)


def by_python(elsewhere: Path, bundle: Path) -> subprocess.CompletedProcess[str]:
    """Verify with the Python script, where nothing else is installed."""
    alone = "import importlib.util as u; assert not u.find_spec('proxy') and not u.find_spec('cryptography'); "
    told = f"import runpy, sys; sys.argv = [{str(SCRIPT)!r}, {str(bundle)!r}]; "
    run = f"{told}runpy.run_path({str(SCRIPT)!r}, run_name='__main__')"
    return subprocess.run(
        [elsewhere, "-I", "-c", alone + run], capture_output=True, text=True, check=False, cwd=elsewhere.parent
    )


def test_a_bundle_verifies_on_a_machine_without_the_product(
    filled: World, exported: Path, showcause_verify: Path, elsewhere: Path
) -> None:
    """Both say that it holds, and come to the root that was signed."""
    root = filled.checkpoint.root
    go = by_go(showcause_verify, exported, filled.signer.verifier.vkey)
    assert (go.returncode, go.stderr) == (0, "")
    assert "6 entries hold, of 24 in the log" in go.stdout
    assert "complete: none of the 18 entries" in go.stdout
    python = by_python(elsewhere, exported)
    assert (python.returncode, python.stderr) == (0, "")
    assert root.hex() in python.stdout


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_refused_there_too(
    filled: World, bundle: Path, showcause_verify: Path, elsewhere: Path, name: str
) -> None:
    """The same table as for our own verifier, but for what these two say that they do not look at."""
    work, _ = FORGERIES[name]
    work(bundle)
    relist(bundle)
    if name not in KEYS_AND_POLICIES:
        go = by_go(showcause_verify, bundle, filled.signer.verifier.vkey)
        assert go.returncode == 1
        assert "REFUSED" in go.stderr
    if name not in KEYS_AND_POLICIES | SIGNATURES | STRAYS:
        python = by_python(elsewhere, bundle)
        assert python.returncode == 1
        assert "REFUSED" in python.stderr


def test_a_flipped_byte_of_any_file_is_refused_there_too(
    filled: World, bundle: Path, showcause_verify: Path, elsewhere: Path
) -> None:
    """With the manifests as they were exported."""
    for path in sorted(path for path in bundle.rglob("*") if path.is_file()):
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        assert by_go(showcause_verify, bundle, filled.signer.verifier.vkey).returncode == 1, path
        path.write_bytes(content)
    (bundle / "data/checkpoint").write_bytes(b"x" + (bundle / "data/checkpoint").read_bytes())
    assert by_python(elsewhere, bundle).returncode == 1
