"""``audit verify-bundle``: whether evidence holds, for somebody who has neither the log nor the server."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003 -- typer reads the annotations at run time
from typing import TYPE_CHECKING, Annotated

import typer

from proxy.cli.common import Code, JsonOption, done, emit, progress, say, wrong_use
from proxy.clock import stamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxy.audit.bundle.trust import Trust
    from proxy.audit.bundle.verifying import Report


def verify_bundle(
    path: Annotated[Path, typer.Argument(help="The bundle: a folder or a .zip.")],
    *,
    key: Annotated[
        list[str],
        typer.Option(
            "--key", help="The log's verifier key, or a file with it, or with the statement of a new key; from its office."
        ),
    ],
    witness_policy: Annotated[
        Path | None, typer.Option("--witness-policy", help="Which witnesses must have cosigned (C2SP tlog-policy).")
    ] = None,
    tsa_ca: Annotated[Path | None, typer.Option("--tsa-ca", help="The time-stamping authority's root, in PEM.")] = None,
    manifest: Annotated[str, typer.Option("--manifest", help="The manifest's SHA-256, as the export printed it.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Verify a bundle, offline, with keys from elsewhere: no configuration, no server, no log.

    Exit 0 when all of it holds, 1 when something was found; each finding names its file.
    """
    from proxy.audit.bundle.opening import BundleUnreadable, open_bundle  # noqa: PLC0415
    from proxy.audit.bundle.verifying import verify_bundle as verify  # noqa: PLC0415

    trust = _trust(path, key, witness_policy, tsa_ca)
    try:
        files = open_bundle(path)
    except BundleUnreadable as error:
        if as_json:
            emit({"ok": False, "findings": [{"kind": "malformed", "path": path.name, "entry": None, "message": str(error)}]})
        else:
            say(str(error))
        raise done(Code.FOUND) from None
    except OSError as error:
        raise wrong_use(f"{path}: {error.strerror or error}", "name a bundle") from error
    with progress("verifying", len(files.sizes)) as advance:
        report = verify(files, trust, manifest=manifest.strip(), progress=advance)
    _print_report(report, as_json=as_json)
    if not report.ok:
        raise done(Code.FOUND)


def _trust(path: Path, keys: Sequence[str], witness_policy: Path | None, tsa_ca: Path | None) -> Trust:
    from proxy.audit.bundle.stamps import StampInvalid, authorities  # noqa: PLC0415
    from proxy.audit.bundle.trust import Trust  # noqa: PLC0415
    from proxy.cli.trusting import given, source_of  # noqa: PLC0415
    from proxy.tlog.cosign import WitnessPolicy  # noqa: PLC0415
    from proxy.tlog.errors import NoteInvalid  # noqa: PLC0415

    sources = [source for key in keys if (source := source_of(key)) is not None]
    for source in (*sources, *(each for each in (witness_policy, tsa_ca) if each is not None)):
        # A bundle can hold any key it likes. Trust comes another way.
        if source.resolve().is_relative_to(path.resolve()):
            raise wrong_use(f"{source} lies in the bundle: a bundle does not vouch for its own keys", "get it from its office")
    try:
        return Trust(
            logs=[given(keys)],
            witnesses=WitnessPolicy.read(witness_policy) if witness_policy else None,
            authorities=authorities(tsa_ca) if tsa_ca else (),
        )
    except (OSError, NoteInvalid, StampInvalid, UnicodeDecodeError) as error:
        what = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)
        raise wrong_use(what, "copy the whole key, as its office gave it") from error


def _print_report(report: Report, *, as_json: bool) -> None:
    from proxy.audit.bundle.papers import sought  # noqa: PLC0415

    if as_json:
        emit(_as_json(report))
        return
    for finding in report.findings:
        say(finding.message if finding.path in finding.message else f"{finding.path}: {finding.message}")
    for note in report.notes:
        say(f"note: {note}")
    if report.findings:
        only_unproven = all(each.kind == "unproven" for each in report.findings)
        told = "this bundle does not prove what it answers" if only_unproven else "this bundle is not what was exported"
        say(f"{len(report.findings)} finding{'s' if len(report.findings) > 1 else ''}: {told}")
        return
    assert report.asked is not None
    assert report.checkpoint is not None
    say(f"{report.checkpoint.origin}: {len(report.asked.entries)} entries hold, of {report.checkpoint.size} in the log")
    say(f"asked for: {sought(report.asked)}")
    if report.complete is not None:
        say(f"none of the {report.complete} entries of the range answers the question and was left out")
    for name, seconds in report.witnessed.items():
        say(f"cosigned by {name} on {stamp(datetime.fromtimestamp(seconds, UTC))}")
    if report.stamped is not None:
        say(f"time-stamped on {stamp(report.stamped)}")
    say(f"{report.opened} bodies were opened; manifest {report.manifest}")


def _as_json(report: Report) -> dict[str, object]:
    return {
        "ok": report.ok,
        "manifest": report.manifest,
        "origin": report.checkpoint.origin if report.checkpoint else None,
        "size": report.checkpoint.size if report.checkpoint else None,
        "root": report.checkpoint.root.hex() if report.checkpoint else None,
        "entries": list(report.asked.entries) if report.asked else [],
        "complete": report.complete,
        "opened": report.opened,
        "witnessed": dict(report.witnessed),
        "stamped": stamp(report.stamped) if report.stamped else None,
        "findings": [
            {"kind": each.kind, "path": each.path, "entry": each.index, "message": each.message} for each in report.findings
        ],
        "notes": list(report.notes),
    }
