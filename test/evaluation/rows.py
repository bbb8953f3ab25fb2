"""Rows as a run writes them, made by hand."""


def candidate(error=None, **fields):
    """A hypothesis; no error is a refusal."""
    return {
        "estimator": "matches",
        "interpolator": None,
        "weighed": True,
        "selected": False,
        "status": "no_overlap" if error is None else "ok",
        "rotation_error_deg": error,
        "translation_error_deg": error,
        "translation_error_sign_blind_deg": None if error is None else min(error, 180 - error),
        "normalised_error": None,
        "confidence": None,
        **fields,
    }


def probable(value, calibration_id="test"):
    """A calibrated confidence."""
    return {"rotation_5deg": value, "rotation_15deg": value, "direction_10deg": None, "calibration_id": calibration_id}


def row(pair, candidates, related=True, scene="a", rotation=40.0, overlap=0.2, **fields):
    """A row whose answer is its selected hypothesis."""
    chosen = next((c for c in candidates if c["selected"]), None)
    errors = ("rotation_error_deg", "translation_error_deg", "translation_error_sign_blind_deg", "normalised_error")
    return {
        "pair": pair,
        "scene": scene,
        "related": related,
        "true_rotation_deg": rotation if related else None,
        "true_direction": related,
        "true_overlap": None,
        "overlap": overlap,
        "answered": chosen is not None,
        **{name: None if chosen is None else chosen[name] for name in errors},
        "candidates": candidates,
        "stage_seconds": {"overlap": 1.0},
        "seconds": 2.0,
        **fields,
    }
