"""Training, export and measuring of the style network that ships. Nothing else in the server needs this."""

from .batches import Materials
from .calibration import calibrate
from .exports import export, export_log
from .launch import Folders, measure, run
from .measures import Measures, table
from .pictures import Scenes, Styles
from .recipe import Recipe
from .recipe import load as load_recipe
from .trainer import Trainer, train

__all__ = [
    "Folders",
    "Materials",
    "Measures",
    "Recipe",
    "Scenes",
    "Styles",
    "Trainer",
    "calibrate",
    "export",
    "export_log",
    "load_recipe",
    "measure",
    "run",
    "table",
    "train",
]
