from .confused import draw_confused_images as draw_confused_images
from .cost import WHOLE_RUN as WHOLE_RUN
from .draw import draw_figures as draw_figures
from .nights import NIGHTS as NIGHTS
from .style import DrawnFigure as DrawnFigure
