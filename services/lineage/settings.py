"""What the lineage reads from its environment (given by template.yaml).

Where events go is said by the settings of OpenLineage's own client, which reads them itself.
"""

from pydantic_settings import BaseSettings

from contracts.layout import FACTS_DATABASE


class LineageSettings(BaseSettings):
    """`openlineage_namespace`: the job's namespace, by which one pipeline is told from another."""

    data_bucket: str
    openlineage_namespace: str = "ecommerce-pipeline"
    glue_database: str = FACTS_DATABASE
