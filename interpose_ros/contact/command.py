"""The commands ``interpose body-model`` and ``interpose refine``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from interpose_ros.contact.model_files import anny_path

_REFUSED = 3


def register(commands: Any) -> None:
    """Add the commands to the sub-parsers of the command line."""
    prepare = commands.add_parser("body-model", help="prepare the Anny body model for contact refinement, once")
    prepare.add_argument("--again", action="store_true", help="make its file anew even where there is one")
    prepare.set_defaults(run=_prepare)

    refine = commands.add_parser("refine", help="make estimated bodies touch where they touch")
    refine.add_argument("request", type=Path, metavar="REQUEST.json", help="bodies and contacts, see docs/contact.md")
    refine.add_argument("--image", type=Path, help="photo, for the language model and behind the picture")
    refine.add_argument("--out", type=Path, metavar="DIR", help="for answer.json and pictures before and after")
    refine.add_argument("--deadline", type=float, metavar="S", help="seconds after which the best so far is taken")
    refine.add_argument("--heuristic", action="store_true", help="draw two whole bodies together if nothing is known")
    refine.add_argument("--smplx", default="", metavar="FILE", help="SMPL-X model file of your own (.npz)")
    refine.add_argument("--base-url", default="", help="OpenAI-compatible endpoint; the image is sent there")
    refine.add_argument("--model", default="", help="name of the vision-language model there")
    refine.add_argument("--api-key-env", default="", metavar="NAME", help="environment variable with the key")
    refine.add_argument("--samples", type=int, default=8, help="answers wanted of the language model")
    refine.add_argument("--timeout", type=float, default=10.0, metavar="S", help="longest wait for them")
    refine.set_defaults(run=_refine)


def _prepare(options: argparse.Namespace) -> int:
    from interpose_ros.contact.anny_file import make_anny

    path = anny_path()
    if path.is_file() and not options.again:
        print(f"body model: {path} is there; remove the file to be rid of it")
        return 0
    try:
        make_anny(path, lambda text: print(f"body model: {text}", flush=True))
    except ImportError as error:
        raise ValueError(f"the `anny` package is missing ({error}): pip install 'interpose-ros[contact]'") from error
    print(f"body model: {path} is ready ({path.stat().st_size / 1e6:.0f} MB); remove the file to be rid of it")
    return 0


def _refine(options: argparse.Namespace) -> int:
    import time

    import cv2
    from pydantic import ValidationError

    from interpose_ros.contact.answer import ContactRefiner
    from interpose_ros.contact.language_model import LanguageModelConfig
    from interpose_ros.contact.request import RefineRequest, first_error

    try:
        request = RefineRequest.model_validate_json(options.request.read_bytes())
        language_model = LanguageModelConfig(
            base_url=options.base_url,
            model=options.model,
            api_key_env=options.api_key_env,
            samples=options.samples,
            timeout=options.timeout,
        )
    except ValidationError as error:
        raise ValueError(f"{options.request}: {first_error(error)}") from error
    image = None
    if options.image:
        image = cv2.imread(str(options.image), cv2.IMREAD_COLOR)
        if image is None:
            raise ValueError(f"{options.image} cannot be read as an image")
    refiner = ContactRefiner.with_models(language_model, options.heuristic, options.smplx)
    deadline = None if options.deadline is None else time.monotonic() + options.deadline
    answer = refiner.answer(request, image, deadline)
    text = json.dumps(answer.plain().as_dict(), indent=2, allow_nan=False)
    print(text)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "answer.json").write_text(text + "\n", encoding="utf-8")
    if answer.refinement is None:
        print(f"no answer ({answer.code.value}): {answer.text}", file=sys.stderr)
        return _REFUSED
    if options.out:
        from interpose_ros.contact.pictures import before_and_after

        for name, picture in before_and_after(answer, request.intrinsics, image).items():
            cv2.imwrite(str(options.out / f"{name}.png"), picture)
    return 0
