"""Training, export and measuring of the style network that ships. Nothing else in the server needs this
room."""

from .exports import export
from .launch import Folders, run
from .measures import Measures, SqueezeNet, evaluate, of_network, of_teacher, table
from .pictures import Scenes, Styles
from .recipe import Recipe
from .recipe import load as load_recipe
from .trainer import Materials, Trainer, train

__all__ = [
    "Folders",
    "Materials",
    "Measures",
    "Recipe",
    "Scenes",
    "SqueezeNet",
    "Styles",
    "Trainer",
    "evaluate",
    "export",
    "load_recipe",
    "of_network",
    "of_teacher",
    "run",
    "table",
    "train",
]
