"""What the guard reads from its environment (given by template.yaml)."""

from pydantic_settings import BaseSettings


class GuardSettings(BaseSettings):
    """`day_is_over_hours`: hours of UTC after its midnight, by which a day is over everywhere.

    `settle_minutes`: so long the newest day's numbers have to stand.
    """

    event_store_table: str
    order_kpis_table: str
    category_kpis_table: str
    notification_topic_arn: str
    day_is_over_hours: int = 12
    settle_minutes: int = 120
