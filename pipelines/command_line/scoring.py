"""The commands that score applicants, verify passports, and show results."""

from __future__ import annotations

import os
import shlex
import time
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from data_contracts.errors import one_line
from pipelines.command_line.options import (
    DAY,
    DEFAULT_OUT,
    AccountOption,
    BundleOption,
    DateOrderOption,
    DeliveredAtOption,
    FromOption,
    ModelOption,
    OutOption,
    ProfileOption,
    SellerOption,
    ToOption,
    terms_of,
)
from pipelines.command_line.stages import run_stage_of
from pipelines.command_line.terminal import Terminal, file_link, program, seconds_text
from pipelines.runs.score_formats import ScoreFormat

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.profiles import Profile
    from pipelines.score.command import ScoreOptions, ScoreOutcome


ApplicantsArgument = Annotated[
    Path | None,
    typer.Argument(
        help="Applicant file (CSV, XLSX, Parquet) or folder of raw exports (default: the profile's own applicants)."
    ),
]
RegistryOption = Annotated[
    str | None,
    typer.Option("--registry", metavar="URI", help="MLflow tracking URI (default: the registry of the profile)."),
]
SignerTrustOption = Annotated[
    Path | None,
    typer.Option(
        "--trust", metavar="FILE", help="Trust file of those who may sign bundles (default: the profile's own key)."
    ),
]
AsOfOption = Annotated[
    datetime | None,
    typer.Option("--as-of", metavar="DATE", formats=[DAY], help="As-of date for rows that state none."),
]
IssuedOnOption = Annotated[
    datetime | None,
    typer.Option(
        "--issued-on",
        metavar="DATE",
        formats=[DAY],
        help="Date of issue (default: today; a demonstration has its own).",
    ),
]
ArtifactsOption = Annotated[
    Path, typer.Option("--artifacts", metavar="FOLDER", help="Folder that holds the profile's stages.")
]
PassportsOption = Annotated[
    int, typer.Option("--passports", metavar="N", min=0, help="Number of signed passports to issue.")
]
UnpromotedOption = Annotated[
    bool, typer.Option("--unpromoted", help="Issue passports with a model that was never promoted; they say so.")
]
ReasonsOption = Annotated[bool, typer.Option("--reasons/--no-reasons", help="Compute points and reasons.")]

FormatOption = Annotated[
    list[ScoreFormat] | None,
    typer.Option("--format", help="Form of the scores; may be repeated (default: all). Parquet is always written."),
]
ThreadsOption = Annotated[
    int, typer.Option("--threads", metavar="N", min=1, max=256, help="Threads of a prediction; no result changes.")
]


def score(
    context: typer.Context,
    applicants: ApplicantsArgument = None,
    profile: ProfileOption = "demo",
    out: OutOption = DEFAULT_OUT,
    *,
    model: ModelOption = None,
    bundle: BundleOption = None,
    registry: RegistryOption = None,
    trust: SignerTrustOption = None,
    as_of: AsOfOption = None,
    issued_on: IssuedOnOption = None,
    seller: SellerOption = None,
    account: AccountOption = None,
    period_from: FromOption = None,
    period_to: ToOption = None,
    delivered_at: DeliveredAtOption = None,
    date_order: DateOrderOption = None,
    artifacts: ArtifactsOption = DEFAULT_OUT,
    passports: PassportsOption = 0,
    reasons: ReasonsOption = True,
    formats: FormatOption = None,
    threads: ThreadsOption = 1,
    unpromoted: UnpromotedOption = False,
) -> None:
    """Score applicants: one result per row.

    Without APPLICANTS, run the stage that scores the applicants of the profile. With APPLICANTS, write the results to
    the folder OUT, which must be empty or hold earlier results. A folder of raw exports without deliveries.csv needs
    the options --seller, --from, --to and --delivered-at.

    Example: passport score applicants.csv --as-of 2024-12-31 --out results --passports 10
    """
    terminal: Terminal = context.obj
    if applicants is None:
        run_stage_of(profile, out, "score", terminal)
        return
    from pipelines.profiles import load_profile
    from pipelines.runs.stages import Place
    from pipelines.score.chunk_files import ALL_FORMATS
    from pipelines.score.command import ScoreOptions

    chosen = load_profile(profile)
    options = ScoreOptions(
        out=out,
        profile=chosen,
        place=Place(chosen.name, artifacts),
        issued_on=issued_on.date() if issued_on else _day_of_issue(chosen),
        model=model,
        bundle=bundle,
        registry=registry,
        trust=trust,
        as_of=as_of.date() if as_of else None,
        terms=terms_of(seller, account, period_from, period_to, delivered_at, date_order=date_order),
        with_reasons=reasons,
        passport_count=passports,
        formats=tuple(formats) if formats else ALL_FORMATS,
        threads=threads,
        environment=os.environ,
        unpromoted=unpromoted,
    )
    raise typer.Exit(_scored(applicants, options, terminal))


def _scored(applicants: Path, options: ScoreOptions, terminal: Terminal) -> int:
    """Score applicants, say what was done, and return the exit code."""
    from pipelines.score.command import score_command

    started = time.perf_counter()
    with terminal.progress("score") as progress:
        outcome = score_command(applicants, options, progress)
    for note in outcome.notes:
        terminal.say(f"note: {note}")
    terminal.say(_score_line(outcome, time.perf_counter() - started))
    return outcome.exit_code


def _day_of_issue(profile: Profile) -> date:
    return profile.scoring.issued_on if profile.is_demonstration else date.today()


def _score_line(outcome: ScoreOutcome, seconds: float) -> str:
    counted = ", ".join(f"{status}: {rows:,}" for status, rows in sorted(outcome.counts.by_status.items()))
    codes = ", ".join(f"{code}: {rows:,}" for code, rows in sorted(outcome.counts.by_code.items())) or "none"
    return (
        f"score: {outcome.counts.rows:,} rows ({counted}); codes: {codes}; "
        f"passports: {outcome.passports:,}; {seconds_text(seconds)} -> {outcome.folder}"
    )


def verify(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="Passports (JSON), or their pages (HTML).")],
    *,
    trust: Annotated[
        Path | None,
        typer.Option("--trust", metavar="FILE", help="Trust file of the issuers you accept (default: none is known)."),
    ] = None,
    on: Annotated[
        datetime | None,
        typer.Option("--on", metavar="DATE", formats=[DAY], help="Date to verify against (default: today)."),
    ] = None,
    subject: Annotated[
        str | None,
        typer.Option("--subject", metavar="ID", help="Seller ID that the passport must belong to; needs --salt."),
    ] = None,
    salt: Annotated[
        str | None,
        typer.Option("--salt", metavar="HEX", help="Salt that the issuer sent to the seller; needs --subject."),
    ] = None,
) -> None:
    """Check passports offline: exact bytes, signature, issuer, dates, and the seller.

    A page is accepted if the passport beside it is, and if it shows exactly that passport. Print one line per file with
    score and grade. Exit with 0 if every passport is accepted, otherwise with 2.

    Example: passport verify results/passports/*.json --trust trust.json --on 2025-02-01
    """
    from pipelines.passports.verify import VerifyOptions, exit_code_of, verify_command

    terminal: Terminal = context.obj
    day = on.date() if on else date.today()
    outcomes = verify_command(files, VerifyOptions(on=day, trust=trust, subject=subject, salt=salt))
    for outcome in outcomes:
        line = one_line(f"{outcome.file}: {outcome.code}: {outcome.message}")
        terminal.say(line) if outcome.accepted else typer.echo(line)
    raise typer.Exit(exit_code_of(outcomes))


def codes(
    language: Annotated[Literal["en", "zh"], typer.Option("--language", help="Language of the texts.")] = "en",
) -> None:
    """Explain the codes of scored rows: what they mean and what to do.

    Example: passport codes --language zh
    """
    from pipelines.score_codes import codes_in_lines

    typer.echo("\n".join(codes_in_lines(language)))


def show(
    seller: Annotated[str, typer.Argument(help="Seller ID, as delivered.")],
    profile: ProfileOption = "demo",
    out: OutOption = DEFAULT_OUT,
) -> None:
    """Print the score of a seller and the reasons for it.

    Example: passport show S-1042 --profile my.toml
    """
    from pipelines.commands.summary import describe_seller
    from pipelines.profiles import load_profile
    from pipelines.runs.stages import Place

    chosen = load_profile(profile)
    typer.echo(describe_seller(Place(chosen.name, out), seller))


def summary(profile: ProfileOption = "demo", out: OutOption = DEFAULT_OUT) -> None:
    """Print the champion's figures, where to look, and what to try next."""
    from pipelines.commands.summary import summarise
    from pipelines.profiles import load_profile
    from pipelines.runs.stages import Place

    chosen = load_profile(profile)
    found = summarise(chosen, profile, Place(chosen.name, out), os.environ)
    links = {title: file_link(path) for title, path in found.places.items()}
    tries = {title: shlex.join((program(), *arguments)) for title, arguments in found.commands.items()}
    lines = [*found.figures, "", "Where to look", *_listed(links), "", "What to try next", *_listed(tries)]
    typer.echo("\n".join(lines))


def _listed(texts: Mapping[str, str]) -> list[str]:
    width = max(map(len, texts))
    return [f"  {title:{width}}  {text}" for title, text in texts.items()]
