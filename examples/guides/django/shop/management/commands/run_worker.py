from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from shop import jobs


class Command(BaseCommand):
    help = "Runs jobs until SIGINT or SIGTERM"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--slots", type=int, default=4)

    def handle(self, *, slots: int, **options: Any) -> None:
        jobs.app.worker(slots=slots).run(grace=20)
