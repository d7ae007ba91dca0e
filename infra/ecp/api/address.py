"""Where the HTTP API of a cloud answers."""

from infra.ecp.target import Target


def api_url(target: Target) -> str:
    """The address of the API, without a slash at its end; of a local cloud below its own."""
    if target.endpoint:
        api_id = target.names.get("api", "http-api-id")
        return f"{target.endpoint.rstrip('/')}/_aws/execute-api/{api_id}"
    return target.names.get("api", "url")
