"""What the node's own files can be asked for, told without looking at them."""

from fnmatch import fnmatchcase

from logship.search.asked import Asked
from logship.search.errors import AskedError
from logship.settings import LogsSettings


def check_local(asked: Asked, settings: LogsSettings, hostname: str) -> None:
    """See that a search can be one of the node's files.

    Raises:
        AskedError: it asks for what only Elasticsearch knows, or for a data set that no file is of.
    """
    if asked.template is not None:
        raise AskedError("templates are known to Elasticsearch only", hint="leave the template out, or the files")
    if asked.host is not None and asked.host != hostname:
        raise AskedError(f"the logs of {asked.host} do not lie on this node", hint="leave the host out")
    datasets = dict.fromkeys(file.dataset or settings.dataset for file in settings.file)
    if asked.dataset is not None and not any(fnmatchcase(one, asked.dataset) for one in datasets):
        hint = f"files are configured of {', '.join(datasets)}" if datasets else "set [[logs.file]] path"
        raise AskedError(f"no log file is of the data set {asked.dataset}", hint=hint)
