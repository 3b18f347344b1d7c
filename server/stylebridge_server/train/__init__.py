"""Training: of the style network that ships, and of networks for one style. Nothing else in the server needs this."""

from .batches import Materials
from .calibration import calibrate
from .exports import export, export_log
from .launch import Folders, measure, run
from .measures import Measures, table
from .pictures import Scenes, Styles
from .recipe import Recipe
from .recipe import checked as checked_recipe
from .recipe import load as load_recipe
from .recipe import read as read_recipe
from .single import SingleMaterials, SingleTrainer, train_single
from .single_launch import export_single, resolved, run_single
from .single_recipe import SingleRecipe
from .together import by_torchrun, spread
from .trainer import Trainer, train

__all__ = [
    "Folders",
    "Materials",
    "Measures",
    "Recipe",
    "Scenes",
    "SingleMaterials",
    "SingleRecipe",
    "SingleTrainer",
    "Styles",
    "Trainer",
    "by_torchrun",
    "calibrate",
    "checked_recipe",
    "export",
    "export_log",
    "export_single",
    "load_recipe",
    "measure",
    "read_recipe",
    "resolved",
    "run",
    "run_single",
    "spread",
    "table",
    "train",
    "train_single",
]
