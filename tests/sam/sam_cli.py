"""The SAM CLI, but a process builds the image of the same layers only once: `python sam_cli.py ARGUMENTS`.

SAM itself rebuilds the image for each container, which takes five of the six seconds of an invocation. This
program runs in SAM's own environment.
"""

# mypy: ignore-errors

import threading

from samcli.cli.main import cli
from samcli.local.docker.lambda_image import LambdaImage

_build = LambdaImage.build
_images = {}
_building = threading.Lock()


def build(self, runtime, packagetype, image, layers, architecture, **options):
    key = (runtime, architecture, *(layer.name for layer in layers))
    with _building:
        if key not in _images:
            _images[key] = _build(self, runtime, packagetype, image, layers, architecture, **options)
        return _images[key]


LambdaImage.build = build

if __name__ == "__main__":
    cli(prog_name="sam")
