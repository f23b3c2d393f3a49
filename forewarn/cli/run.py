"""forewarn run."""

from forewarn.cli.options import ConfigOption, DataDirOption, ListenOption, data_dir, load
from forewarn.cli.output import tell
from forewarn.cli.signals import end_at_once_on_sigterm


def run(config: ConfigOption = None, data_dir_: DataDirOption = None, listen: ListenOption = None) -> None:
    """Run the daemon in the foreground until SIGTERM or Ctrl-C."""
    end_at_once_on_sigterm()
    from forewarn.base.logs import configure_logging
    from forewarn.daemon import run_daemon
    from forewarn.node import RealNode

    settings = load(config, api={"listen": listen} if listen else None)
    configure_logging(settings.log_level)
    data = data_dir(data_dir_)
    raise SystemExit(
        run_daemon(
            settings,
            data,
            RealNode(),
            reload=lambda: load(config, api={"listen": listen} if listen else None),
            announce=lambda url: tell(f"Forewarn serves {url} (metrics: {url}/metrics), data in {data.path}"),
        )
    )
