"""What the api reads from its environment (given by template.yaml)."""

from pydantic_settings import BaseSettings


class ViewsSettings(BaseSettings):
    """Of the function that takes events."""

    views_table: str


class ApiSettings(BaseSettings):
    """Of the function that answers. `aws_endpoint_url`: where AWS is, when it is no AWS."""

    views_table: str
    order_kpis_table: str
    category_kpis_table: str
    data_bucket: str
    transformer_queue_url: str
    validator_queue_url: str
    jwt_scope: str = ""
    jwt_correct_scope: str = ""
    correctors: str = ""
    aws_endpoint_url: str = ""


class OperationsSettings(BaseSettings):
    """Of the function whose pages are about the pipeline itself."""

    views_table: str
    archive_bucket: str
    stage_prefix: str = ""
    jwt_scope: str = ""
    jwt_operate_scope: str = ""
    aws_endpoint_url: str = ""
