"""What a request may ask with."""

from fastapi import Request

from api.answers import ApiError


def only_known(request: Request) -> None:
    """Refuse parameters that the route does not have: what is mistyped would be answered as if it were not there.

    Raises:
        ApiError: there is one.
    """
    known = [parameter.alias for parameter in request.scope["route"].dependant.query_params]
    for name in request.query_params:
        if name not in known:
            hint = f"there are {', '.join(known)}" if known else "it takes none"
            raise ApiError(422, f"{name}: there is no such parameter", hint=hint)
