"""Which columns of a source's files name a user: those of any version that there ever was."""

import boto3
import pytest

from infra.ecp.privacy.source_columns import NO_SOURCE, SourceColumns, names_in
from tests.support.moto_account import moto_account

BUCKET = "data"
OWN = """
source: my-shop
version: 1
title: My shop
file: {{delimiter: ";", encoding: cp1252, quoting: backslash, skip_lines: 2}}
rows: order_lines
carried_down: {{within: '"No"', columns: [{user}]}}
orders: {{order_id: '"No"', user_id: '"{user}"', order_date: '"Day"', total_amount: '"Total"'}}
order_items: {{order_id: '"No"', product_id: '"Item"', quantity: '"Qty"', unit_price: '"Price"'}}
"""


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ('"Email"', {"Email"}),
        ('coalesce("E-mail", \'no "one"\', Buyer)', {"coalesce", "E-mail", "Buyer"}),
        ('"say ""hi"""', {'say "hi"'}),
    ],
)
def test_the_names_in_an_expression(expression: str, names: set[str]) -> None:
    assert names_in(expression) == names


@moto_account()
def test_columns_of_shipped_own_removed_and_unknown_sources() -> None:
    s3 = boto3.client("s3", region_name="us-east-1")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    for user in ("Mail", "Customer"):
        s3.put_object(Bucket=BUCKET, Key="sources/my-shop/v1.yaml", Body=OWN.format(user=user))
    s3.put_object(Bucket=BUCKET, Key="sources/my-shop/v2.yaml", Body="nonsense")
    s3.delete_object(Bucket=BUCKET, Key="sources/my-shop/v1.yaml")
    known = SourceColumns(s3, BUCKET)
    assert known.of("shopify-orders").user_columns == ["Email"]
    assert "Billing Name" not in known.of("shopify-orders").used_columns
    own = known.of("my-shop")
    assert own.user_columns == ["Customer", "Mail"]
    assert (own.delimiter, own.encoding, own.quoting, own.skip_lines) == (
        ";",
        "cp1252",
        "backslash",
        2,
    )
    assert own.carried_down
    assert known.of("never-was") == NO_SOURCE
