"""`ecp contracts export` and `import`: contracts as documents of other standards, and back."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from contracts.errors import DataRejected
from infra.ecp.terminal.errors import WrongUsage
from infra.ecp.terminal.options import AsJson
from infra.ecp.terminal.output import print_json, print_note, print_verbatim

if TYPE_CHECKING:
    from infra.ecp.contracts.odcs import Imported

MAX_BYTES = 1 << 20
Format = Annotated[
    Literal["odcs"], typer.Option("--format", help="odcs: Open Data Contract Standard 3.1.")
]


def export(
    kinds: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KIND...]", help="orders, order_items, products; else all three."),
    ] = None,
    form: Format = "odcs",
    as_json: AsJson = False,
) -> None:
    """Print the contracts of plain files as one data contract (ODCS 3.1), in YAML.

    What the standard has no word for stands in custom properties, so that `import` loses nothing.

    Example: `ecp contracts export orders --format odcs`
    """
    import yaml

    from contracts.file_contracts import file_contract
    from contracts.layout import KINDS
    from infra.ecp.contracts.odcs import odcs_of

    del form  # there is one
    if unknown := [kind for kind in kinds or () if kind not in KINDS]:
        raise WrongUsage(f"there is no kind {unknown[0]}; there are {', '.join(KINDS)}")
    contracts = [file_contract(kind) for kind in kinds or KINDS]
    document = odcs_of(contracts, f"{max(contract.version for contract in contracts)}.0.0")
    if as_json:
        print_json(document)
        return
    for line in yaml.safe_dump(document, sort_keys=False, width=100).splitlines():
        print_verbatim(line)


def import_contract(
    document: Annotated[Path, typer.Argument(metavar="FILE", help="A data contract, as YAML.")],
    schema: Annotated[
        str | None, typer.Option("--schema", help="The object of it, where it has several.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Draft a source from a data contract (ODCS 3): its columns, by name and type.

    What the contract says and a source cannot is named: quality rules, servers, roles and the like.

    Exit code: 1 the document is no data contract.

    Example: `ecp contracts import shop.odcs.yaml --schema orders`
    """
    from infra.ecp.contracts.odcs import contracts_of
    from infra.ecp.contracts.odcs_source import drafted_source

    one = _chosen(contracts_of(_read(document)), schema)
    draft = drafted_source(one)
    if as_json:
        print_json({"source": draft.name, "draft": draft.text, "unsaid": list(one.unsaid)})
        return
    for line in draft.text.splitlines():
        print_verbatim(line)
    for each in one.unsaid:
        print_note(f"{each} is said in the contract, and a source cannot say it")


def _chosen(found: "list[Imported]", name: str | None) -> "Imported":
    names = [one.contract.kind for one in found]
    if name is None and len(found) > 1:
        raise WrongUsage(f"it has several objects: say --schema {' or '.join(names)}")
    chosen = [one for one in found if name in (None, one.contract.kind)]
    if not chosen:
        raise WrongUsage(f"it has no object {name}; it has {', '.join(names)}")
    return chosen[0]


def _read(path: Path) -> Any:
    """The YAML of a file as plain values, without what could grow (aliases)."""
    import yaml

    if not path.is_file():
        raise WrongUsage(f"{path}: there is no such file")
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise DataRejected(f"{path}: a data contract has at most {MAX_BYTES:,} bytes")
    try:
        for event in yaml.parse(content, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise DataRejected(f"{path}: aliases are refused; write the value out")
        return yaml.safe_load(content)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DataRejected(f"{path}: this is not YAML: {str(error).splitlines()[0]}") from error
