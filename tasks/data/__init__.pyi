from .dataset import (
    PIXEL_MAXIMUM as PIXEL_MAXIMUM,
    Dataset as Dataset,
    load_dataset as load_dataset,
    refer_to_dataset as refer_to_dataset,
    scale_pixels as scale_pixels,
    split_held_out as split_held_out,
    with_channels as with_channels,
)
from .own import (
    find_images as find_images,
    load_images as load_images,
    refer_to_images as refer_to_images,
    refuse_folder as refuse_folder,
)
from .picture_files import (
    BEGIN as BEGIN,
    READABLE as READABLE,
    list_pictures as list_pictures,
    name_kind as name_kind,
)
from .picture_folder import prepare_picture as prepare_picture
from .pictures import (
    MIDDLE_GREY as MIDDLE_GREY,
    read_given_file as read_given_file,
    read_image as read_image,
)
from .sheet import (
    MARGIN as MARGIN,
    TITLE_HEIGHT as TITLE_HEIGHT,
    Pixels as Pixels,
    draw_contact_sheet as draw_contact_sheet,
    draw_first_images as draw_first_images,
    fit_scale as fit_scale,
    measure as measure,
    paste_image as paste_image,
    save_page as save_page,
    start_page as start_page,
    write_text as write_text,
)
