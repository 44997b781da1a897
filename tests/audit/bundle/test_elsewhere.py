"""A bundle on a machine without the product: Go's sumdb, and one page of Python with pymerkle.

The Python is that of a new virtual environment, which holds pymerkle and what that needs, and nothing else; the Go program is
made by the Go wheel from its own sources.
"""

from __future__ import annotations

import shutil
import subprocess
import venv
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import cachetools
import pymerkle
import pytest

from tests.audit.bundle.forgeries import BESIDE, FORGERIES, relist

if TYPE_CHECKING:
    from tests.audit.bundle.conftest import World

SCRIPT = Path(__file__).parents[3] / "deploy" / "verify" / "verify_bundle.py"
SIGNATURES = {
    "the_checkpoint_is_signed_by_somebody_else", "the_log_has_another_past", "a_proof_of_no_checkpoint_is_put_in",
}  # fmt: skip
"""What only the Go program looks at."""
OPENED = {"a_key_is_of_another_entry", "the_question_is_about_somebody_else"}
"""What neither looks at: whether keys open bodies, and whom these name. That is plain to see."""


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


def by_go(program: Path, bundle: Path, vkey: str, *more: str) -> subprocess.CompletedProcess[str]:
    """Verify with the Go program."""
    return subprocess.run([program, "bundle", bundle, "-key", vkey, *more], capture_output=True, text=True, check=False)


def by_python(elsewhere: Path, bundle: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Verify with the Python script, where nothing else is installed."""
    alone = "import importlib.util as u; assert not u.find_spec('proxy') and not u.find_spec('cryptography'); "
    told = f"import runpy, sys; sys.argv = {[str(SCRIPT), str(bundle), *more]!r}; "
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
    if name not in OPENED | {"the_question_says_two_things"}:
        go = by_go(showcause_verify, bundle, filled.signer.verifier.vkey)
        assert go.returncode == 1
        assert "REFUSED" in go.stderr
    if name not in OPENED | SIGNATURES:
        python = by_python(elsewhere, bundle)
        assert python.returncode == 1
        assert "REFUSED" in python.stderr


@pytest.mark.parametrize("name", BESIDE)
def test_what_papers_must_state_is_looked_at_there_too(
    filled: World, bundle: Path, showcause_verify: Path, elsewhere: Path, name: str
) -> None:
    """Counts, root, exporter and the manifest's hash; every other word, and the viewer, is for that hash alone to vouch for."""
    work, path, stated = BESIDE[name]
    genuine = sha256((bundle / "manifest-sha256.txt").read_bytes()).hexdigest()
    work(bundle)
    relist(bundle)
    runs = by_go(showcause_verify, bundle, filled.signer.verifier.vkey), by_python(elsewhere, bundle)
    assert [run.returncode for run in runs] == ([1, 1] if stated else [0, 0])
    assert all(path in run.stderr for run in runs if stated)
    if path.startswith("data/"):
        named = (
            by_go(showcause_verify, bundle, filled.signer.verifier.vkey, "-manifest", genuine),
            by_python(elsewhere, bundle, genuine),
        )
        assert [run.returncode for run in named] == [1, 1]


def test_an_answer_of_nothing_takes_the_manifests_hash_there_too(
    filled: World, showcause_verify: Path, elsewhere: Path, tmp_path: Path
) -> None:
    """Nothing else tells whose tokens were looked for."""
    written, vkey = filled.export(tmp_path / "nothing", value="badge-9"), filled.signer.verifier.vkey
    assert by_go(showcause_verify, tmp_path / "nothing", vkey).returncode == 1
    assert by_python(elsewhere, tmp_path / "nothing").returncode == 1
    assert by_go(showcause_verify, tmp_path / "nothing", vkey, "-manifest", written.manifest).returncode == 0
    assert by_python(elsewhere, tmp_path / "nothing", written.manifest).returncode == 0


def test_what_is_no_folder_is_wrong_use_and_no_forgery(
    filled: World, showcause_verify: Path, elsewhere: Path, tmp_path: Path
) -> None:
    """Exit code 2 for a folder that is not there, an archive, and a key that is none."""
    filled.export(tmp_path / "bundle.zip")
    vkey = filled.signer.verifier.vkey
    for path in (tmp_path / "nowhere", tmp_path / "bundle.zip"):
        runs = by_go(showcause_verify, path, vkey), by_python(elsewhere, path)
        assert [(run.returncode, "WRONG USE" in run.stderr, "unpack" in run.stderr) for run in runs[1:]] == [(2, True, True)]
        assert (runs[0].returncode, "REFUSED" in runs[0].stderr) == (2, False)
    assert "unpack it first" in by_go(showcause_verify, tmp_path / "bundle.zip", vkey).stderr
    assert by_go(showcause_verify, tmp_path, "nonsense").returncode == 2


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
