from .draw import (
    WHOLE_RUN as WHOLE_RUN,
    draw_figures as draw_figures,
)
from .model import draw_confused_images as draw_confused_images
from .nights import NIGHTS as NIGHTS
from .style import DrawnFigure as DrawnFigure
